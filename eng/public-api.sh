#!/usr/bin/env bash
# Brings the PublicAPI.Unshipped.txt of every shipped library up to date with its code: run it after a deliberate change of the public surface
# and review the diff.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in src/Tcpcp.Core src/Tcpcp src/Tcpcp.Check src/Tcpcp.AspNetCore; do
    file=$project/PublicAPI.Unshipped.txt
    echo '#nullable enable' >"$file"
    # The analyzer names each missing symbol; the file is those names, sorted.
    symbols=$(dotnet build "$project" --no-incremental -v q -p:TreatWarningsAsErrors=false 2>&1 |
        grep -oP "(?<=RS0016: Symbol ').*?(?=' is not part of the declared public API)" | sort -u || true)
    [ -z "$symbols" ] || printf '%s\n' "$symbols" >>"$file"
    echo "$file: $(($(wc -l <"$file") - 1)) symbols"
done
