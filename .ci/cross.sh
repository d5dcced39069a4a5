#!/usr/bin/env bash
# Every package and every test compiles for each other system and each architecture,
# and the commands link. No file is for one system on one architecture alone, so the
# other pairs have nothing of their own to compile. Without optimisation, debug
# information and most of the compiler's own garbage collection: that takes a third of
# the time, and nothing here is run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0 GOGC=400

systems='(aix|android|darwin|freebsd|linux|netbsd|openbsd|unix|windows)' architectures='(386|amd64|arm|arm64)'
pairs=$(git ls-files '*.go' '*.s' | grep -E "_${systems}_${architectures}(_test)?\.(go|s)$" || true)
pairs+=$(git grep -lE "^//go:build.*\b${systems}\b.*\b${architectures}\b|^//go:build.*\b${architectures}\b.*\b${systems}\b" -- '*.go' '*.s' || true)
[ -z "$pairs" ] || { printf 'for one system on one architecture alone, which nothing here compiles:\n%s\n' "$pairs"; exit 1; }

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
quick=(-gcflags='all=-N -l -dwarf=false')
for target in linux/arm64 darwin/arm64 windows/amd64; do
	export GOOS=${target%/*} GOARCH=${target#*/}
	go build "${quick[@]}" ./...
	go build "${quick[@]}" -ldflags='-s -w' -o "$bin/" ./cmd/...
	go vet "${quick[@]}" ./...
	echo "$target compiles, tests included"
done
