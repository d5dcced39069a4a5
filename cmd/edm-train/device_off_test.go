//go:build !gpu

package main

import (
	"strings"
	"testing"
)

// A build without CUDA says how to get one.
func TestWithoutCUDA(t *testing.T) {
	for _, args := range [][]string{
		append(tinyFlags(t, t.TempDir()), "--device=cuda"),
		append(tinyFlags(t, t.TempDir()), "--device=cuda:1", "--dry-run"),
		{"--bench", "--device=cuda"},
		{"--inspect", "--data=demo", "--device=cuda"},
	} {
		code, _, stderr := execute(args...)
		if code == 0 || !strings.Contains(stderr, "--device") || !strings.Contains(stderr, "make cuda") {
			t.Errorf("%v: exit status %d: %s", args, code, stderr)
		}
	}
}
