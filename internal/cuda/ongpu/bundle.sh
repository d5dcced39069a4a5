#!/usr/bin/env bash
# Makes a folder that check.sh runs from on a machine with a GPU and without Go:
#   bash bundle.sh OUTDIR
# writes OUTDIR, shaped like the checkout so that tests find their data. The
# environment is that of build/cuda/env.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

bundle=${1:?usage: bundle.sh OUTDIR}
flags=(-trimpath -tags gpu -ldflags "-s -w")

rm -rf "$bundle"
mkdir -p "$bundle/bin"
go build "${flags[@]}" -o "$bundle/bin/" ./cmd/... ./bench/edmbench

# suite.tsv: each package with tests that want a device, and which those are.
pattern=$(sed -n 's/^CUDA_TESTS = //p' Makefile)
{
	go list -tags gpu -f '{{if .XTestGoFiles}}{{.Dir}}{{else if .TestGoFiles}}{{.Dir}}{{end}}	.' ./internal/cuda/...
	for package in model train cmd/edm-train cmd/edm-sample; do printf '%s\t%s\n' "$PWD/$package" "$pattern"; done
} | sed -n "s|^$PWD/||p" >"$bundle/suite.tsv"
while IFS=$'\t' read -r package _; do
	go test -c "${flags[@]}" -o "$bundle/bin/${package//\//-}.test" "./$package"
done <"$bundle/suite.tsv"

# Test data and scripts, where they lie in the checkout.
git ls-files -z --cached --others --exclude-standard internal/cuda/{kernels,ptx} \
	internal/reference/testdata/{loss,precond,train} bench | grep -zv '\.go$' | xargs -0 cp --parents -t "$bundle"
while IFS=$'\t' read -r package _; do mkdir -p "$bundle/$package"; done <"$bundle/suite.tsv"
cp internal/cuda/ongpu/check.sh "$bundle/"

libc=$(cat "$bundle"/bin/* | grep -ao 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
echo "$bundle: $(du -sh "$bundle" | cut -f1); the programs want Linux with ${libc/_/ }"
