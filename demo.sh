#!/usr/bin/env bash
# The main job on one machine: hands its arguments to `tcpcp demo`. Builds the one binary first if it is not there or older than the sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/eng/install.sh"
need "libnftables1:/usr/lib/*/libnftables.so.1" curl:curl gcc:gcc
binary=$here/artifacts/tcpcp/tcpcp
if [ ! -x "$binary" ] || [ -n "$(find "$here/src" "$here/samples" "$here/proto" -newer "$binary" -type f -print -quit)" ]; then
    log=$(mktemp)
    dotnet publish "$here/src/Tcpcp.Cli" -c Release -v q -nologo -o "$here/artifacts/tcpcp" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
    touch "$binary"
fi
exec "$binary" demo "$@"
