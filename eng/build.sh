# For the scripts at the root: quiet builds. Expects $here and eng/install.sh.
tcpcp=$here/artifacts/tcpcp/tcpcp

# Runs a build; its output is seen only if it fails.
build_quietly() {
    local log
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
}

# Lets the builds of this script share one compiler process, which is warm after the first project, whatever the environment says. The script's end ends it.
shared_compiler=()
share_compiler() {
    shared_compiler=(-p:UseSharedCompilation=true "-p:SharedCompilationId=tcpcp-$$")
}
end_shared_compiler() {
    local process
    for process in $(grep -la -- "[-]pipename:tcpcp-$$" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3); do
        kill "$process" 2>/dev/null
    done
}

# Builds the one binary by native AOT if it is not there or older than a source.
build_tcpcp() {
    need "libnftables1:/usr/lib/*/libnftables.so.1" curl:curl gcc:gcc
    if [ ! -x "$tcpcp" ] || [ -n "$(find "$here"/{src,samples,proto,Directory.*} -newer "$tcpcp" -type f -print -quit)" ]; then
        build_quietly dotnet publish "$here/src/Tcpcp.Cli" -c Release -v q -nologo -o "$here/artifacts/tcpcp" "${shared_compiler[@]}"
        touch "$tcpcp"
    fi
}
