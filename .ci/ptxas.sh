#!/usr/bin/env bash
# NVIDIA's assembler takes every PTX file without a warning, and each kernel
# takes what internal/cuda/ptx/resources.tsv says. So it does with the emulator's
# tests for sm_90a, which clang-19 compiles first. The oldest assembler that knows
# the PTX for sm_90a, which is what a driver of its time compiles it with, leaves
# products of warpgroups in flight, too. The assemblers and the disassembler come
# from the Python package index and need neither toolkit nor GPU.
# .ci/ptxas.sh -write rewrites the table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r .ci/requirements-ptxas.txt
mkdir "$venv/tools"
for tool in ptxas nvdisasm; do
	path=$(find "$venv/lib" -type f -path "*/cu13/bin/$tool" -print -quit)
	[ -n "$path" ] || { echo "no $tool in the packages of .ci/requirements-ptxas.txt"; exit 1; }
	chmod +x "$path"
	ln -s "$path" "$venv/tools/$tool"
done
"$venv/tools/ptxas" --version | tail -n 1
hopper=$PWD/internal/cuda/emulator/test/hopper
mkdir "$venv/hopper"
go run -C tools ./ptxgen -kernels "$hopper" -out "$venv/hopper"
go build -C tools -o "$venv/ptxcheck" ./ptxcheck
check() { "$venv/ptxcheck" -bin "$venv/tools" -ptx "$1" -table "$2/resources.tsv" "${@:3}"; }
check internal/cuda/ptx internal/cuda/ptx "$@"
check "$venv/hopper" "$hopper" "$@"

oldest=$(find "$venv/lib" -type f -path "*/cuda_nvcc/bin/ptxas" -print -quit)
chmod +x "$oldest"
for source in internal/cuda/ptx/*_sm90a.ptx; do
	said=$("$oldest" -v --gpu-name sm_90a -o "$venv/oldest" "$source" 2>&1) || { echo "$said"; exit 1; }
	if [[ $said == *"Potential Performance Loss"* ]]; then
		grep "Potential Performance Loss" <<<"$said"
		exit 1
	fi
done
