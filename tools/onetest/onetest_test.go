package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of two packages and returns its folder. Package b imports
// a, and both have tests inside and outside of the package.
func module(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":            "module example\n\ngo 1.26\n",
		"a/a.go":            "package a\n\nfunc one() int { return 1 }\n",
		"a/a_test.go":       "package a\n\nimport \"testing\"\n\nvar One = one\n\nfunc TestInside(t *testing.T) {\n\tif one() != 1 {\n\t\tt.Fatal()\n\t}\n}\n",
		"a/x_test.go":       "package a_test\n\nimport (\n\t\"testing\"\n\n\t\"example/a\"\n)\n\nfunc TestOutside(t *testing.T) {\n\tif a.One() != 1 {\n\t\tt.Fatal()\n\t}\n}\n\nfunc Testing() {}\n",
		"inner/b/b.go":      "package b\n\nimport _ \"example/a\"\n",
		"inner/b/b_test.go": "package b\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestFile(t *testing.T) {\n\tif _, err := os.Stat(\"b.go\"); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n",
		"inner/b/g_test.go": "//go:build gpu\n\npackage b\n\nimport \"testing\"\n\nfunc TestTagged(t *testing.T) { t.Fatal(\"as it should\") }\n",
	}
	for name, text := range more {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOneProgram(t *testing.T) {
	dir := module(t, nil)
	program := filepath.Join(t.TempDir(), "suite")
	if err := build(dir, "gpu", program, []string{"./a", "./inner/b"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder, run string
		want        []string
		fails       bool
	}{
		{"a", ".", []string{"--- PASS: TestInside", "--- PASS: TestOutside"}, false},
		{"a", "Out", []string{"--- PASS: TestOutside"}, false},
		{"inner/b", "File", []string{"--- PASS: TestFile"}, false},
		{"inner/b", ".", []string{"--- PASS: TestFile", "--- FAIL: TestTagged"}, true},
		{"c", ".", nil, true},
	} {
		cmd := exec.Command(program, "-test.v", "-test.run", c.run)
		cmd.Dir = dir
		if c.folder != "c" {
			cmd.Dir = filepath.Join(dir, c.folder)
		}
		cmd.Env = append(os.Environ(), "EDM_TEST_PACKAGE="+c.folder)
		said, err := cmd.CombinedOutput()
		if (err != nil) != c.fails {
			t.Errorf("%s, %s: %v\n%s", c.folder, c.run, err, said)
		}
		for _, want := range c.want {
			if !strings.Contains(string(said), want) {
				t.Errorf("%s, %s: no %q in\n%s", c.folder, c.run, want, said)
			}
		}
		if n := strings.Count(string(said), "\n--- "); n != len(c.want) {
			t.Errorf("%s, %s: %d tests ran, want %d:\n%s", c.folder, c.run, n, len(c.want), said)
		}
	}
}

// What the one program could not run is refused, not left out.
func TestRefused(t *testing.T) {
	for name, file := range map[string][2]string{
		"TestMain":     {"a/main_test.go", "package a\n\nimport \"testing\"\n\nfunc TestMain(m *testing.M) { m.Run() }\n"},
		"embed":        {"a/embed_test.go", "package a\n\nimport _ \"embed\"\n\n//go:embed a.go\nvar text string\n"},
		"no tests":     {"none/none.go", "package none\n"},
		"expected ';'": {"a/bad_test.go", "package a\n\nfunc TestBad(t *testing.T) { x y }\n"},
	} {
		dir := module(t, map[string]string{file[0]: file[1]})
		err := build(dir, "", filepath.Join(t.TempDir(), "suite"), []string{"./" + filepath.Dir(file[0])})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want %q in it", file[0], err, name)
		}
	}
}
