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

# run FOLDER SOURCE...: a driver with the kernels among the sources, and the tests
# among them.
run() {
  local folder=$1 source kernels=() tests=()
  shift
  for source; do
    if [[ $source == *.cu ]]; then kernels+=("$source"); else tests+=("$source"); fi
  done
  bash "$here/build.sh" "$folder" "${kernels[@]}"
  "${CXX:-g++}" -std=c++17 -O1 -Wall -Wextra -pthread -o "$folder/emulator-test" "${tests[@]}" \
    -L"$folder" -l:libcuda.so.1 -Wl,-rpath,"$folder"
  "$folder/emulator-test"
}

run "$out" "$here"/test/*.cu "$here"/test/hopper/*.cu "$here"/test/*.cpp
# Kernels that are right are so when every access is checked.
EDM_EMULATOR_RACES=1 run "$out/races" "$here"/test/{good.cu,kernels_test.cpp,harness.cpp} \
  "$here"/test/hopper/*.cu "$here"/test/hopper{,_test}.cpp "$here"/test/races/*
