package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// included matches the inclusion of a header that lies beside its source. The
// emulator's and the compiler's own headers are no part of a kernel.
var included = regexp.MustCompile(`(?m)^\s*#\s*include\s+"([^"/]+\.cuh)"`)

// closure returns source and all headers that it includes, by name in folder
// kernels, the source first.
func closure(kernels, source string) ([]string, error) {
	all := []string{source}
	for i := 0; i < len(all); i++ {
		text, err := os.ReadFile(filepath.Join(kernels, all[i]))
		if err != nil {
			return nil, err
		}
		for _, m := range included.FindAllSubmatch(text, -1) {
			if name := string(m[1]); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all[1:])
	return all, nil
}

// hash returns the SHA-256 of a file.
func hash(path string) ([sha256.Size]byte, error) {
	text, err := os.ReadFile(path)
	return sha256.Sum256(text), err
}
