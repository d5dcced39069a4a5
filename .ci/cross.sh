#!/usr/bin/env bash
# Every package and every test compiles for the other systems, and the commands
# link.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
for target in linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
	export GOOS=${target%/*} GOARCH=${target#*/}
	go build ./...
	go build -o "$bin/" ./cmd/...
	go vet ./...
	echo "$target compiles, tests included"
done
