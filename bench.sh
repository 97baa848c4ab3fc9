#!/usr/bin/env bash
# Runs one benchmark (pause, kernel, redirect, blackout with its part all, agent with its parts single and drain, aspnetcore with its parts requests, memory and drain, or relay): ./bench.sh NAME [PART] [--json]. With --json one object a line and nothing else on standard output.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/eng/install.sh"
. "$here/eng/build.sh"
own_namespace=()
build_baseline() {
    need "libnftables1:/usr/lib/*/libnftables.so.1" gcc:gcc
    mkdir -p "$here/artifacts/bench"
    build_quietly gcc -O2 -std=gnu17 -Wall -Wextra -Werror -o "$here/artifacts/bench/${1##*/}" "$here/bench/$1.c"
    export TCPCP_BASELINE=$here/artifacts/bench/${1##*/}
    ulimit -n 20000
}
case " $* " in
    *" kernel "*)
        build_baseline kernel/pass
        own_namespace=(unshare --net --)
        ;;
    *" agent "*)
        build_baseline kernel/pass
        build_tcpcp
        # As the service's unit has it: a BPF file system.
        own_namespace=(unshare --mount -- sh -c 'mount -t bpf bpf /sys/fs/bpf && exec "$@"' sh)
        ;;
    *" blackout "*)
        build_baseline blackout/blackout
        build_tcpcp
        own_namespace=(unshare --mount -- sh -c 'mount -t bpf bpf /sys/fs/bpf && exec "$@"' sh)
        ;;
    *" relay "*)
        need haproxy:haproxy
        build_baseline relay/relay
        build_tcpcp
        ;;
    *" aspnetcore "*)
        need wrk:wrk
        build_tcpcp
        own_namespace=(unshare --mount -- sh -c 'mount -t bpf bpf /sys/fs/bpf && exec "$@"' sh)
        ulimit -n 20000
        ;;
    *" redirect "*) need "libnftables1:/usr/lib/*/libnftables.so.1" ;;
    *) build_tcpcp ;;
esac
build_quietly dotnet build "$here/bench/Tcpcp.Bench" -c Release -v q -nologo
TCPCP=$tcpcp exec "${own_namespace[@]}" "$here/artifacts/bin/Tcpcp.Bench/release/Tcpcp.Bench" "$@"
