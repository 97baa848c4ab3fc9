#!/usr/bin/env bash
# Runs every test; installs what they need when root. The last line is the count over all test projects.
# ./test.sh --chaos MINUTES passes random connections between three hosts to which random things happen, for so long, and nothing else; TCPCP_CHAOS_SEED repeats a run.
# ./test.sh --fuzz MINUTES [TARGET] tries new inputs on each target of test/Tcpcp.Fuzz, or on one, for so long, and nothing else (CONTRIBUTING.md says more).
# ./test.sh --limits passes 9,000 connections there and back 20 times, and one 10,000 times, and nothing else.
# ./test.sh --recovery lets every fault happen at every step of a pass: minutes more. ./test.sh --explore explores the protocol deeper: minutes more, and gigabytes of memory.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here" || exit 1
case "${1:-}" in
    "") ;;
    --explore) export TCPCP_EXPLORE=deep ;;
    --recovery) export TCPCP_RECOVERY=all ;;
    --limits) export TCPCP_LIMITS=all ;;
    --chaos)
        [[ "${2:-}" =~ ^[0-9]+([.][0-9]+)?$ ]] || { echo "usage: ./test.sh --chaos MINUTES" >&2; exit 2; }
        export TCPCP_CHAOS_MINUTES=$2
        ;;
    --fuzz)
        [[ "${2:-}" =~ ^[0-9]+([.][0-9]+)?$ ]] || { echo "usage: ./test.sh --fuzz MINUTES [TARGET]" >&2; exit 2; }
        export TCPCP_FUZZ_MINUTES=$2 TCPCP_FUZZ_TARGET=${3:-}
        ;;
    *) echo "usage: ./test.sh [--explore | --recovery | --limits | --chaos MINUTES | --fuzz MINUTES [TARGET]]" >&2; exit 2 ;;
esac
. eng/install.sh
. eng/build.sh
need "libnftables1:/usr/lib/*/libnftables.so.1" tcpdump:tcpdump curl:curl gcc:gcc clang-14:clang-14 netcat-openbsd:nc socat:socat python3:/usr/bin/python3 \
    "libfaketime:/usr/lib/*/faketime/libfaketimeMT.so.1" \
    nginx:nginx openssl:openssl redis-server:redis-server redis-tools:redis-cli openssh-server:/usr/sbin/sshd openssh-client:scp "postgresql:/usr/lib/postgresql/*/bin/postgres" \
    iperf3:iperf3 mosquitto:mosquitto mosquitto-clients:mosquitto_sub iproute2:ip systemd:systemd-analyze systemd-container:systemd-nspawn man-db:man dpkg:dpkg-deb binutils:objdump wrk:wrk chromium:chromium
share_compiler
trap end_shared_compiler EXIT
trap 'exit 130' INT TERM
solution=tcpcp.slnx
[ -z "${TCPCP_FUZZ_MINUTES:-}" ] || solution=test/Tcpcp.Fuzz
build_quietly dotnet build $solution -v q -nologo "${shared_compiler[@]}" || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
passed=0 failed=0 skipped=0
results=$(mktemp -d)
computing=
trap '[ -z "$computing" ] || kill -- "-$computing" 2>/dev/null; end_shared_compiler; rm -rf "$results"' EXIT

# Runs the tests of a project, or those that the further arguments choose; what they print, and their exit code, go to files.
run() {
    local name=$1
    artifacts/bin/"$name"/debug/"$name" "${@:2}" >"$results/$name" 2>&1
    echo $? >"$results/$name.code"
}

# Prints what the tests of a project have said, and adds up.
report() {
    local name=$1 code summary t e f s p
    echo "== $name"
    tail -n 40 "$results/$name"
    code=$(cat "$results/$name.code")
    # Total: 211, Errors: 0, Failed: 0, Skipped: 0, Not Run: 0, Time: 6.825s
    summary=$(grep -oE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$results/$name" | tail -n 1)
    read -r t e f s <<<"$(printf '%s' "${summary:-0 0 0 0}" | grep -oE '[0-9]+' | tr '\n' ' ')"
    f=$((f + e)) p=$((t - f - s))
    # A run that failed without a count (a crash) is a failure too.
    [ "$code" -ne 0 ] && [ "$f" -eq 0 ] && f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

if [ -n "${TCPCP_FUZZ_MINUTES:-}" ]; then
    end_shared_compiler
    artifacts/bin/Tcpcp.Fuzz/debug/Tcpcp.Fuzz -noColor -class "*FuzzTests" | tee "$results/Tcpcp.Fuzz" # what a target has done is seen as soon as it is over
    echo "${PIPESTATUS[0]}" >"$results/Tcpcp.Fuzz.code"
    report Tcpcp.Fuzz >/dev/null
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
fi

only=
[ -z "${TCPCP_CHAOS_MINUTES:-}" ] || only=ChaosTests
[ -z "${TCPCP_LIMITS:-}" ] || only=LimitsTests
if [ -n "$only" ]; then
    build_tcpcp || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
    end_shared_compiler
    export TCPCP_TEST_COMMAND=$tcpcp
    ulimit -n 20000
    run Tcpcp.EndToEnd.Tests -class "*$only"
    report Tcpcp.EndToEnd.Tests
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
fi

# Those that only compute run beside the compiler; the others would feel it.
background="Tcpcp.Explorer.Tests Tcpcp.Fuzz"
set -m # a process group of their own
(
    export TCPCP_FUZZ_MINUTES=0.33 # each target
    for name in $background; do run "$name"; done
) &
set +m
computing=$!
build_tcpcp && ./pack.sh || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
end_shared_compiler
wait "$computing"
computing=
for name in $background; do report "$name"; done
export TCPCP_TEST_COMMAND=$tcpcp # the tests start agents by the hundred: the one binary is ready at once
for project in test/*/*.csproj; do
    name=$(basename "$project" .csproj)
    ls test/"$name"/*.cs >/dev/null 2>&1 || continue
    grep -q '<IsTestProject>false' "$project" && continue # a program that tests start
    case " $background " in *" $name "*) continue ;; esac
    run "$name"
    report "$name"
done
[ "$passed" -gt 0 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
