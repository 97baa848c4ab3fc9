#!/usr/bin/env bash
# Runs one benchmark: ./bench.sh NAME [--json]. With --json one object a line and nothing else on standard output.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/eng/install.sh"
. "$here/eng/build.sh"
build_tcpcp
build_quietly dotnet build "$here/bench/Tcpcp.Bench" -c Release -v q -nologo
TCPCP=$tcpcp exec "$here/artifacts/bin/Tcpcp.Bench/release/Tcpcp.Bench" "$@"
