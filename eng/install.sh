# need PACKAGE:WHAT... installs the Debian package of each WHAT (a program, or a path with wildcards) that is missing; without root it names them.
need() {
    local missing=() pair package what
    for pair in "$@"; do
        package=${pair%%:*} what=${pair#*:}
        case $what in
            /*) compgen -G "$what" >/dev/null || missing+=("$package") ;;
            *) command -v "$what" >/dev/null || missing+=("$package") ;;
        esac
    done
    [ "${#missing[@]}" -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "Missing: ${missing[*]}. Install them: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    # Servers among them are for the tests' own hosts: none is started here (invoke-rc.d(8)).
    local policy=/usr/sbin/policy-rc.d made=
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=1; }
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >/dev/null 2>&1 ||
        { [ -z "$made" ] || rm -f $policy; echo "apt-get could not install: ${missing[*]}" >&2; exit 1; }
    [ -z "$made" ] || rm -f $policy
}
