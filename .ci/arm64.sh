#!/usr/bin/env bash
# The portable kernels give right answers on arm64, whose compiler fuses
# multiplications and additions: ops, their definitions, draws, formulas.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go test -short -exec qemu-aarch64-static \
	./internal/ref ./internal/rng ./internal/op ./checkpoints/safetensors ./model/precond ./sample
