#!/usr/bin/env bash
# What go generate writes is what is committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

before=$(git status --porcelain)
go generate ./...
after=$(git status --porcelain)
if [ -n "$after" ]; then
	printf 'before go generate:\n%s\nafter:\n%s\n' "$before" "$after"
	git --no-pager diff --stat
	exit 1
fi
echo "the tree is clean after go generate"
