#!/usr/bin/env bash
# Tests the emulated driver itself: kernels that are right, kernels with one
# fault each, and the driver's rules. An argument is a folder to build in, kept
# for the next time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($#)); then
  out=$1
else
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi

bash "$here/build.sh" "$out" "$here"/test/*.cu "$here"/test/hopper/*.cu
"${CXX:-g++}" -std=c++17 -O1 -Wall -Wextra -pthread -o "$out/emulator-test" "$here"/test/*.cpp \
  -L"$out" -l:libcuda.so.1 -Wl,-rpath,"$out"
"$out/emulator-test"
