#!/usr/bin/env bash
# The README's test command, and the reference tests on the copy in the tree:
# what a checkout has where nothing stands beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0

go test ./...
EDM_REFERENCE=$PWD/internal/reference/testdata go test -run '^TestReference' ./...
