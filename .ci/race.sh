#!/usr/bin/env bash
# The race detector on the packages that start goroutines or share files. It is
# the only step that uses cgo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CGO_ENABLED=1 go test -race -short ./internal/cpu ./internal/atomicfile ./data ./checkpoints ./train
