//go:build !gpu

package main

import (
	"strings"
	"testing"
)

// A build without CUDA says how to get one.
func TestWithoutCUDA(t *testing.T) {
	runs, _ := trained(t, false)
	code, _, stderr := execute("--runs", runs, "--outdir", t.TempDir(), "--seeds=0", "--device=cuda")
	if code == 0 || !strings.Contains(stderr, "--device") || !strings.Contains(stderr, "make cuda") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
}
