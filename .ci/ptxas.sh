#!/usr/bin/env bash
# Two releases of NVIDIA's assembler, the newest one and that of CUDA 13.0, whose
# drivers are in use, take every PTX file without a warning, and each kernel takes
# what internal/cuda/ptx/resources.tsv says. So they do with the emulator's tests for
# sm_90a, which clang-19 compiles first. The oldest assembler that knows the PTX for
# sm_90a, which is what a driver of its time compiles it with, leaves products of
# warpgroups in flight, too. The assemblers and the disassembler come from the Python
# package index and need neither toolkit nor GPU. .ci/ptxas.sh -write rewrites the
# table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
while read -r name packages; do
	# shellcheck disable=SC2086 # several packages
	"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/$name" $packages
done <.ci/assemblers.txt

# tool FOLDER NAME prints the path of a tool in a folder's packages.
tool() {
	local path
	path=$(find "$work/$1" -type f -path "*/bin/$2" -print -quit)
	[ -n "$path" ] || { echo "no $2 in the packages of .ci/assemblers.txt for $1" >&2; return 1; }
	chmod +x "$path"
	echo "$path"
}

disassembler=$(tool newest nvdisasm)
for name in newest driver; do
	mkdir "$work/$name/tools"
	ln -s "$disassembler" "$(tool $name ptxas)" "$work/$name/tools"
done
hopper=$PWD/tools/cudaemu/test/hopper
mkdir "$work/hopper"
go run -C tools ./ptxgen -kernels "$hopper" -out "$work/hopper"
go build -C tools -o "$work/ptxcheck" ./ptxcheck
check() { "$work/ptxcheck" -bin "$work/driver/tools" -bin "$work/newest/tools" -ptx "$1" -table "$2/resources.tsv" "${@:3}"; }
check internal/cuda/ptx internal/cuda/ptx "$@"
check "$work/hopper" "$hopper" "$@"

oldest=$(tool oldest ptxas)
for source in internal/cuda/ptx/*_sm90a.ptx; do
	said=$("$oldest" -v --gpu-name sm_90a -o "$work/cubin" "$source" 2>&1) || { echo "$said"; exit 1; }
	if [[ $said == *"Potential Performance Loss"* ]]; then
		grep "Potential Performance Loss" <<<"$said"
		exit 1
	fi
done
