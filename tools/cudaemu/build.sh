#!/usr/bin/env bash
# Builds the emulated driver with the project's kernels:
#   bash build.sh OUTDIR [KERNEL.cu ...]
# writes OUTDIR/libcuda.so.1. Without sources it takes internal/cuda/kernels/*.cu. CXX names
# the compiler (g++ or clang++), EDM_EMULATOR_CXXFLAGS adds flags for all files,
# and EDM_EMULATOR_RACES=1 makes kernels whose every access to memory is checked.
# Objects stay in OUTDIR/objects; what is newer than its sources is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: build.sh OUTDIR [KERNEL.cu ...]}
shift
cxx=${CXX:-g++}
if (($#)); then kernels=("$@"); else kernels=("$here"/../../internal/cuda/kernels/*.cu); fi
mkdir -p "$out/objects"
exec 9>"$out/lock" # one build at a time
flock 9

# The target is the least that the machine needs for exact and fast fused
# multiply-adds: without the instruction the C library computes the same bits.
flags=(-std=c++17 -O2 -fPIC -fvisibility=hidden -fno-strict-aliasing -ffp-contract=off
  -fno-math-errno -fstack-clash-protection -Wall -Wextra -Wno-unknown-pragmas -Wno-psabi -DEDM_EMULATOR)
read -ra extra <<<"${EDM_EMULATOR_CXXFLAGS:-}"
flags+=("${extra[@]}")
native=$("$cxx" -march=native -dM -E -x c++ /dev/null 2>/dev/null || true)
if [[ $native == *__FMA__* && $native == *__AVX2__* ]]; then flags+=(-mfma -mavx2); fi

# What a device answers in another way than the host is made a trap: misaligned
# accesses, indices beyond an array, shifts by more than a word has bits.
checks=(-fsanitize=alignment,bounds,shift-exponent -fsanitize-undefined-trap-on-error)

# Accesses call what accesses.cpp defines; reports name lines by what -g1 keeps.
if [[ ${EDM_EMULATOR_RACES:-} == 1 ]]; then checks+=(-fsanitize=thread -g1); fi

# A change of flags makes every object stale.
stamp="$out/objects/flags"
printf '%s\n' "$cxx" "${flags[@]}" "${checks[@]}" >"$stamp.new"
cmp -s "$stamp.new" "$stamp" && rm "$stamp.new" || mv "$stamp.new" "$stamp"

# stale OBJECT: whether it is to be compiled, by the sources and headers that the
# compiler listed last time.
stale() {
  [[ ! -e $1 || ! -e $1.d || $stamp -nt $1 ]] && return 0
  local sources newer
  sources=$(sed -e 's/^[^:]*://' -e 's/\\$//' "$1.d")
  # shellcheck disable=SC2086 # a list of names
  newer=$(find $sources -newer "$1" 2>&1) || return 0
  [[ -n $newer ]]
}

# compile SOURCE OBJECT: kernels are C++ by another name.
compile() {
  local more=()
  if [[ $1 == *.cu ]]; then more=("${checks[@]}"); fi
  "$cxx" "${flags[@]}" "${more[@]}" -MMD -MF "$2.d" -x c++ -c "$1" -o "$2.part" && mv "$2.part" "$2"
}

objects=()
jobs=()
for source in "${kernels[@]}" "$here"/*.cpp; do
  object="$out/objects/$(basename "$source").o"
  objects+=("$object")
  stale "$object" || continue
  compile "$source" "$object" &
  jobs+=($!)
  if ((${#jobs[@]} >= $(nproc))); then
    wait "${jobs[0]}"
    jobs=("${jobs[@]:1}")
  fi
done
for job in "${jobs[@]}"; do wait "$job"; done

# Objects by name: a static library would drop the kernels, which nothing calls.
# The name is replaced at once, since a running test may have the old file open.
"$cxx" -shared -pthread -Wl,-soname,libcuda.so.1 -Wl,-z,defs,-z,nodelete -o "$out/libcuda.so.1.part" \
  "${objects[@]}"
mv "$out/libcuda.so.1.part" "$out/libcuda.so.1"
