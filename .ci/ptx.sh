#!/usr/bin/env bash
# What make ptx writes is what is committed. It wants clang-19 (.ci/setup.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

before=$(sha256sum internal/cuda/ptx/*.ptx)
make ptx
after=$(sha256sum internal/cuda/ptx/*.ptx)
if [ "$before" != "$after" ]; then
	diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") || true
	clang-19 --version | head -n 1
	echo "make ptx changes the files above: commit what it writes"
	exit 1
fi
printf '%d files are what clang makes of the kernels\n' "$(wc -l <<<"$after")"
