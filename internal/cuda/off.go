//go:build !gpu

package cuda

import (
	"errors"

	"edm/internal/engine"
)

// Open returns an error: this build has no CUDA.
func Open(ordinal int, precision string) (engine.Backend, error) {
	return nil, errors.New("cuda: this edm was built without CUDA: build it with `make cuda`, which needs no CUDA toolkit, or use the processor")
}

// OpenFirst opens the first usable GPU; this build can use none.
func OpenFirst(precision string) (b engine.Backend, found bool, err error) { return nil, false, nil }
