#!/usr/bin/env bash
# Makes the BPF bytecode that Tcpcp.Linux embeds of its source: after a change of bpf/. eng/build-bpf.sh [DIRECTORY] writes it elsewhere.
# The compiler is pinned, since a test compares.
set -euo pipefail
cd "$(dirname "$0")/../bpf"
for program in packet_switch gateway; do
    clang-14 -target bpf -mcpu=v3 -O2 -fno-ident -Wall -Wextra -Werror -c "$program.c" -o "${1:-.}/$program.o"
done
