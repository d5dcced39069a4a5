#!/usr/bin/env bash
# The README's test command. It reads reference vectors beside the checkout, if
# there are some, and then the reference tests run on the copy in the tree, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0

go test ./...
if [ -d ../shared/reference ]; then
	EDM_REFERENCE=$PWD/internal/testkit/reference/testdata go test -run '^TestReference' ./...
fi

# Solvers, levels and preconditionings of another module.
go test -C docs/examples/outside ./...
