package ptx

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const kernels = "../kernels"

var (
	sourceLine = regexp.MustCompile(`(?m)^// source: (\S+) sha256:([0-9a-f]{64})$`)
	included   = regexp.MustCompile(`(?m)^\s*#\s*include\s+"([^"/]+\.cuh)"`)
	entry      = regexp.MustCompile(`\.entry (\w+)\(`)
)

// read returns a file's text.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sources returns the names of the sources, without .cu.
func sources(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(kernels, "*.cu"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no .cu in %s: %v", kernels, err)
	}
	var names []string
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".cu"))
	}
	return names
}

// file returns the name of a source's PTX.
func file(source string) string {
	if strings.HasSuffix(source, "_sm90a") {
		return source + ".ptx"
	}
	return source + "_sm80.ptx"
}

// Every source has its PTX, and every PTX its source.
func TestFiles(t *testing.T) {
	var want []string
	for _, s := range sources(t) {
		want = append(want, file(s))
	}
	have, err := filepath.Glob("*.ptx")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("PTX %v, want %v: run make ptx", have, want)
	}
}

// named returns the sources that the header of a source's PTX names, with the
// hashes that it gives them.
func named(t *testing.T, source string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range sourceLine.FindAllStringSubmatch(read(t, file(source)), -1) {
		all[m[1]] = m[2]
	}
	return all
}

// The hashes in the header of every PTX are those of the sources that it names,
// and it names all that they include.
func TestSources(t *testing.T) {
	for _, s := range sources(t) {
		hashes := named(t, s)
		if hashes[s+".cu"] == "" {
			t.Errorf("%s does not name %s.cu as its source: run make ptx", file(s), s)
		}
		for name, want := range hashes {
			text := read(t, filepath.Join(kernels, name))
			if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); sum != want {
				t.Errorf("%s was compiled from another %s: run make ptx", file(s), name)
			}
			for _, m := range included.FindAllStringSubmatch(text, -1) {
				if hashes[m[1]] == "" {
					t.Errorf("%s does not name %s, which %s includes: run make ptx", file(s), m[1], name)
				}
			}
		}
	}
}

// The kernels of a PTX are those that its source exports to the emulator, so
// that both know the same names.
func TestEntries(t *testing.T) {
	for _, s := range sources(t) {
		var entries []string
		for _, m := range entry.FindAllStringSubmatch(read(t, file(s)), -1) {
			entries = append(entries, m[1])
		}
		slices.Sort(entries)
		if len(entries) == 0 {
			t.Errorf("%s has no .entry", file(s))
		}
		var text strings.Builder // the headers have macros
		for name := range named(t, s) {
			text.WriteString(read(t, filepath.Join(kernels, name)))
		}
		if want := exports(text.String()); !slices.Equal(entries, want) {
			t.Errorf("%s has the kernels %v, %s.cu exports %v: each KERNEL wants one EXPORT line", file(s), entries, s, want)
		}
	}
}

// Each PTX is for the oldest device that is supported, or for Hopper where its
// name says so, and takes its shared memory at the launch only.
func TestTargets(t *testing.T) {
	for _, s := range sources(t) {
		text := read(t, file(s))
		target := ".version 7.0\n.target sm_80\n"
		if strings.HasSuffix(s, "_sm90a") {
			target = ".version 8.3\n.target sm_90a\n"
		}
		if !strings.Contains(text, target) {
			t.Errorf("%s: not %q", file(s), target)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, ".shared .align") && !strings.Contains(line, "dynamic_shared[]") {
				t.Errorf("%s: static shared memory, which the emulator does not have: %s", file(s), strings.TrimSpace(line))
			}
		}
	}
}
