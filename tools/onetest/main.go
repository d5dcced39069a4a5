// Command onetest builds the tests of several packages as one program, which is
// much smaller than a test program for each: packages that they share are linked
// once.
//
//	onetest -out FILE [-dir DIR] [-tags TAGS] PACKAGE...
//
// The program runs the tests of the package that the environment variable
// EDM_TEST_PACKAGE names by its folder, as in internal/cuda, and takes the flags of
// a test program. It starts in the folder where it is started: tests that read
// their package's files want that folder.
//
// A test file is compiled as an ordinary file of its package, under another name,
// and an external test package as a package of its own, by an overlay of the go
// command. So no two of the packages may import each other through their tests,
// and none may have a TestMain, a fuzz target's corpus or an example to check.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	dir := flag.String("dir", ".", "top `folder` of the module")
	tags := flag.String("tags", "", "build `tags`")
	out := flag.String("out", "", "`file` to write the program to")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := build(*dir, *tags, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "onetest:", err)
		os.Exit(1)
	}
}

// listed is a package as go list describes it.
type listed struct {
	Dir, ImportPath           string
	Module                    struct{ Dir, Path string }
	TestGoFiles, XTestGoFiles []string
	TestEmbedPatterns         []string
	XTestEmbedPatterns        []string
}

// build writes the program with the tests of the packages to out.
func build(dir, tags, out string, packages []string) error {
	found, err := list(dir, tags, packages)
	if err != nil {
		return err
	}
	var p program
	files := map[string]string{}
	for _, l := range found {
		if err := p.add(l, files); err != nil {
			return fmt.Errorf("%s: %w", l.ImportPath, err)
		}
	}
	work, err := os.MkdirTemp("", "onetest")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	source := filepath.Join(work, "main.go")
	if err := os.WriteFile(source, p.source(), 0o600); err != nil {
		return err
	}
	// The folder does not exist, and the module's internal packages are open to it.
	top := filepath.Join(found[0].Module.Dir, "onetest")
	files[filepath.Join(top, "main.go")] = source
	overlay := filepath.Join(work, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		return err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	_, err = goCommand(dir, "build", "-overlay", overlay, "-tags", tags, "-trimpath", "-ldflags", "-s -w",
		"-o", out, found[0].Module.Path+"/onetest")
	return err
}

// list asks the go command for the packages.
func list(dir, tags string, packages []string) ([]listed, error) {
	text, err := goCommand(dir, append([]string{"list", "-json", "-tags", tags}, packages...)...)
	if err != nil {
		return nil, err
	}
	var found []listed
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		found = append(found, l)
	}
}

// goCommand runs the go command in a folder and returns its output.
func goCommand(dir string, args ...string) (string, error) {
	c := exec.Command("go", args...)
	c.Dir, c.Stderr = dir, os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}
