# The commands a developer repeats. CI runs .ci/run, which calls the same tools.
GO ?= go
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

.PHONY: all build test lint generate bench ci clean

all: build lint test

build: ## the two commands, in bin/
	CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/...

test:
	$(GO) test ./...

lint: ## formatting, vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -C tools ./...
	$(STATICCHECK) ./...

generate: ## assembly and other generated files
	$(GO) generate ./...

bench: ## Go benchmarks; comparisons with other projects are in bench/
	$(GO) test -run '^$$' -bench . -benchmem ./...

ci: ## what CI runs: installs Debian packages where it may, about 8 minutes
	bash .ci/run

clean:
	rm -rf bin
