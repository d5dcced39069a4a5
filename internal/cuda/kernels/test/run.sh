#!/usr/bin/env bash
# Compiles the kernels' functions for the host and holds them to their bounds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
"${CXX:-g++}" -std=c++17 -O2 -ffp-contract=off -Wall -Wextra -Werror -Wno-unused-function -Wno-unknown-pragmas \
	-DEDM_EMULATOR -o "$bin/mathfn" mathfn.cpp
"$bin/mathfn"
