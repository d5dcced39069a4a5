package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath     string
	Dir            string
	GoFiles        []string
	CgoFiles       []string
	IgnoredGoFiles []string // for other systems, and those that need a build tag
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles", Module+"/...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// imports returns what the package's files import on any system and with any
// build tag, tests left out: a test may compare with whatever it likes.
func imports(t *testing.T, p goPackage) []string {
	t.Helper()
	var paths []string
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// What runs programs on a GPU outside of internal/cuda is among the tests that the
// Makefile names: others would run nowhere.
func TestCUDATests(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^CUDA_TESTS = (.+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the Makefile names no CUDA_TESTS")
	}
	named, test := regexp.MustCompile(string(m[1])), regexp.MustCompile(`(?m)^func (Test\w+)`)
	found := 0
	for _, p := range packages(t) {
		text, err := os.ReadFile(filepath.Join(p.Dir, "cuda_test.go"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range test.FindAllSubmatch(text, -1) {
			if found++; !named.Match(f[1]) {
				t.Errorf("%s: %s is none of the CUDA_TESTS of the Makefile: call it ...OnTheGPU", p.ImportPath, f[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("%d tests were found", found)
	}
}

func TestImports(t *testing.T) {
	list := packages(t)
	if len(list) < 10 {
		t.Fatalf("go list found %d packages, want all of the project's", len(list))
	}
	for _, p := range list {
		pkg := strings.TrimPrefix(p.ImportPath, Module+"/")
		if _, ok := Find(All(), pkg); !ok {
			t.Errorf("no rule for package %s: add one, with its reason, to internal/rules", pkg)
			continue
		}
		for _, imported := range imports(t, p) {
			if err := Check(All(), pkg, imported); err != nil {
				t.Error(err)
			}
		}
	}
}

// Every rule has a reason, and names packages that themselves have a rule.
func TestRulesAreWhole(t *testing.T) {
	for _, r := range All() {
		if r.Why == "" {
			t.Errorf("%s: no reason given", r.Package)
		}
		for _, imported := range r.Imports {
			if _, ok := Find(All(), imported); !ok {
				t.Errorf("%s may import %s, which has no rule", r.Package, imported)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		allowed       bool
	}{
		{"train", "edm/model", true},
		{"train", "gorgonia.org/gorgonia", false},
		{"model", "edm/train", false},
		{"model", "gorgonia.org/tensor", true},
		{"sample", "edm/model", false},
		{"sample", "edm/model/precond", true},
		{"model/precond", "edm/internal/ref", false},
		{"internal/ref", "edm/internal/rng", false},
		{"internal/ref", "math", true},
		{"internal/newleaf", "edm/train", false},
		{"internal/op", "edm/internal/engine", false},
		{"internal/cpu", "C", false},
		{"cmd/edm-train", "edm/train", true},
		{"cmd/edm-train", "gorgonia.org/gorgonia", false},
		{"cmd/edm-train", "edm/cmd/edm-sample", false},
		{"bench/edmbench", "gorgonia.org/gorgonia", true},
		{"newpackage", "math", false},
	} {
		err := Check(All(), c.pkg, c.imported)
		if (err == nil) != c.allowed {
			t.Errorf("%s imports %s: %v, want allowed %v", c.pkg, c.imported, err, c.allowed)
		}
	}
}
