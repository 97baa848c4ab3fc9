#!/usr/bin/env bash
# The main job on one machine: hands its arguments to `tcpcp demo`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/eng/install.sh"
. "$here/eng/build.sh"
build_tcpcp
exec "$tcpcp" demo "$@"
