#!/usr/bin/env bash
# Formatting, vet, staticcheck, file length, modules, import rules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
	printf 'not formatted by gofmt:\n%s\n' "$unformatted"
	exit 1
fi

long=$(git ls-files '*.go' | xargs wc -l | awk '$2 != "total" && $1 > 500')
if [ -n "$long" ]; then
	printf 'files over 500 lines:\n%s\n' "$long"
	exit 1
fi

large=$(git ls-files -z | xargs -0 stat -c '%s %n' | awk '$1 > 6000000')
if [ -n "$large" ]; then
	printf 'files over 6 MB:\n%s\n' "$large"
	exit 1
fi

go mod verify
go mod tidy -diff
go mod tidy -C tools -diff
go mod tidy -C docs/examples/outside -diff

go vet ./...
go vet -C tools ./...
go vet -C docs/examples/outside ./...
go tool -modfile=tools/go.mod staticcheck ./...
(cd tools && go tool staticcheck ./...)

# Not from the cache: it looks at files that other packages add.
go test -count=1 ./internal/rules
echo "formatting, vet, staticcheck, modules and import rules hold"
