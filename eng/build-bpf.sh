#!/usr/bin/env bash
# Makes the BPF bytecode that Tcpcp.Linux embeds of its sources: after a change of bpf/. eng/build-bpf.sh [DIRECTORY] writes it elsewhere.
# The compiler is pinned, since a test compares.
set -euo pipefail
cd "$(dirname "$0")/../bpf"
for source in *.c; do
  clang-14 -target bpf -mcpu=v3 -O2 -fno-ident -Wall -Wextra -Werror -c "$source" -o "${1:-.}/${source%.c}.o"
done
