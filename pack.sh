#!/usr/bin/env bash
# Writes artifacts/packages: the Debian package of the command and the NuGet packages of the libraries. Quiet, and quick when nothing has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
. eng/install.sh
. eng/build.sh
. eng/man.sh
need dpkg:dpkg-deb binutils:objdump gzip:gzip
share_compiler
staging=$(mktemp -d)
trap 'rm -rf "$staging"; end_shared_compiler' EXIT
trap 'exit 130' INT TERM
packages=$here/artifacts/packages
mkdir -p "$packages"
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
# The time of the last change, so that the same sources make the same package.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Directory.Build.props)
export SOURCE_DATE_EPOCH

# Whether a file is not there, or older than one of the others.
is_stale() {
    local made=$1
    shift
    [ ! -f "$made" ] || [ -n "$(find "$@" -newer "$made" -type f -print -quit)" ]
}

# Copies with a mode, and makes the directories.
put() {
    install -D -m "$1" "$2" "$staging/$3"
}

pack_debian() {
    local deb=$1 architecture=$2 date file libc
    # Packages are for everybody, whatever the umask.
    umask 022
    chmod 755 "$staging"
    put 755 "$tcpcp" usr/bin/tcpcp
    put 644 packaging/tcpcp-agent.service usr/lib/systemd/system/tcpcp-agent.service
    put 644 packaging/tcpcp-receive@.service usr/lib/systemd/system/tcpcp-receive@.service
    put 644 packaging/tcpcp-relay.service usr/lib/systemd/system/tcpcp-relay.service
    put 644 packaging/agent.json.example etc/tcpcp/agent.json.example
    put 644 packaging/relay.json.example etc/tcpcp/relay.json.example
    mkdir -p "$staging/etc/tcpcp/receivers"
    for file in README.md docs/*.md docs/*.json; do put 644 "$file" "usr/share/doc/tcpcp/$file"; done
    put 644 packaging/debian/README.Debian usr/share/doc/tcpcp/README.Debian
    put 644 LICENSE usr/share/doc/tcpcp/copyright
    put 644 CHANGELOG.md usr/share/doc/tcpcp/changelog
    put 644 samples/python/tcpcp_client.py usr/share/doc/tcpcp/examples/tcpcp_client.py
    put 644 samples/python/echo.py usr/share/doc/tcpcp/examples/echo.py
    for file in bash:usr/share/bash-completion/completions/tcpcp zsh:usr/share/zsh/vendor-completions/_tcpcp fish:usr/share/fish/vendor_completions.d/tcpcp.fish; do
        mkdir -p "$(dirname "$staging/${file#*:}")"
        "$tcpcp" completions "${file%%:*}" >"$staging/${file#*:}"
    done
    date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
    man_pages "$tcpcp" "$staging/usr/share/man" "$version" "$date"
    find "$staging/usr/share/man" "$staging/usr/share/doc/tcpcp/changelog" -type f -exec gzip -9n {} +

    mkdir "$staging/DEBIAN"
    libc=$(objdump -T "$tcpcp" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
    sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@LIBC@/${libc#GLIBC_}/; s/@KILOBYTES@/$(du -sk "$staging" | cut -f 1)/" \
        packaging/debian/control.in >"$staging/DEBIAN/control"
    for file in postinst prerm postrm; do put 755 packaging/debian/$file DEBIAN/$file; done
    (cd "$staging" && find etc -type f -printf '/%p\n') >"$staging/DEBIAN/conffiles"
    (cd "$staging" && find usr -type f -exec md5sum {} +) >"$staging/DEBIAN/md5sums"
    dpkg-deb --root-owner-group -Zxz -z3 --build "$staging" "$deb.new" >/dev/null
    mv "$deb.new" "$deb"
}

build_tcpcp
architecture=$(dpkg --print-architecture)
deb=$packages/tcpcp_${version}_$architecture.deb
if is_stale "$deb" "$tcpcp" packaging docs README.md CHANGELOG.md LICENSE samples/python eng/man.sh pack.sh Directory.Build.props; then
    rm -f "$packages"/tcpcp_*.deb
    pack_debian "$deb" "$architecture"
fi

libraries=(Tcpcp.Core Tcpcp.Linux Tcpcp Tcpcp.Check Tcpcp.AspNetCore)
for library in "${libraries[@]}"; do
    if is_stale "$packages/$library.$version.snupkg" src/Tcpcp.Core src/Tcpcp.Linux src/Tcpcp src/Tcpcp.Check src/Tcpcp.AspNetCore proto bpf packaging/nuget Directory.*; then
        rm -f "$packages"/Tcpcp.*.nupkg "$packages"/Tcpcp.*.snupkg
        # One after the other: each of them builds those below it.
        for library in "${libraries[@]}"; do
            build_quietly dotnet pack "src/$library" -c Release -v q -nologo -o "$packages" "${shared_compiler[@]}"
        done
        touch "$packages"/Tcpcp.*.snupkg
        break
    fi
done
