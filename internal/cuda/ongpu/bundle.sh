#!/usr/bin/env bash
# Makes a folder that check.sh runs from on a machine with a GPU and without Go:
#   bash bundle.sh OUTDIR 'PATTERN'
# writes OUTDIR/edm, shaped like the checkout so that tests find their data, and
# OUTDIR/edm-gpu.tar.xz with the same files. PATTERN names the tests outside of
# internal/cuda that run programs on a GPU. The environment is that of
# build/cuda/env.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

out=${1:?usage: bundle.sh OUTDIR PATTERN}
pattern=${2:?usage: bundle.sh OUTDIR PATTERN}
bundle=$out/edm
flags=(-trimpath -tags gpu -ldflags "-s -w")

rm -rf "$bundle"
mkdir -p "$bundle/bin"
go build "${flags[@]}" -o "$bundle/bin/" ./cmd/... ./bench/edmbench

# suite.tsv: each package with tests that want a device, and which those are.
{
	go list -tags gpu -f '{{if .XTestGoFiles}}{{.Dir}}{{else if .TestGoFiles}}{{.Dir}}{{end}}	.' ./internal/cuda/...
	for package in model train cmd/edm-train cmd/edm-sample; do printf '%s\t%s\n' "$PWD/$package" "$pattern"; done
} | sed -n "s|^$PWD/||p" >"$bundle/suite.tsv"
while IFS=$'\t' read -r package _; do
	go test -c "${flags[@]}" -o "$bundle/bin/${package//\//-}.test" "./$package"
done <"$bundle/suite.tsv"

# Test data and scripts, where they lie in the checkout.
data=(internal/cuda/kernels internal/cuda/ptx
	internal/reference/testdata/{loss,precond,train} bench)
for path in "${data[@]}"; do
	mkdir -p "$bundle/$path"
	git ls-files -z --cached --others --exclude-standard "$path" | grep -zv '\.go$' |
		xargs -0 cp --parents -t "$bundle"
done
while IFS=$'\t' read -r package _; do mkdir -p "$bundle/$package"; done <"$bundle/suite.tsv"
cp internal/cuda/ongpu/check.sh "$bundle/"

# The programs share most of their contents, over distances that only a great
# dictionary spans.
tar -cf - -C "$out" edm | xz --lzma2=preset=6,dict=192MiB >"$out/edm-gpu.tar.xz"
libc=$(cat "$bundle"/bin/* | grep -ao 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
du -sh "$bundle" "$out/edm-gpu.tar.xz"
echo "the programs want 64-bit Linux with ${libc/_/ }"
