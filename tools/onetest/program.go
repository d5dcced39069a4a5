package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// program is the source of the one program: its imports and its tests.
type program struct {
	imports []string // import paths; the package's name in the source is p and its place
	suites  []suite
}

// suite is the tests of one folder.
type suite struct {
	folder string
	tests  []test
}

// test is one test function.
type test struct {
	place int // of its package among the imports
	name  string
}

// add puts a package's tests into the program, and its test files, under the names
// that make them ordinary files, into files.
func (p *program) add(l listed, files map[string]string) error {
	if len(l.TestEmbedPatterns)+len(l.XTestEmbedPatterns) > 0 {
		return errors.New("its tests embed files, which an overlay does not carry")
	}
	folder, err := filepath.Rel(l.Module.Dir, l.Dir)
	if err != nil {
		return err
	}
	s := suite{folder: filepath.ToSlash(folder)}
	for _, kind := range []struct {
		names          []string
		dir, path, end string
	}{
		{l.TestGoFiles, l.Dir, l.ImportPath, "_test.go"},
		{l.XTestGoFiles, filepath.Join(l.Dir, "externaltests"), l.ImportPath + "/externaltests", "_test.go"},
	} {
		var tests []string
		for _, name := range kind.names {
			path := filepath.Join(l.Dir, name)
			files[filepath.Join(kind.dir, strings.TrimSuffix(name, kind.end)+"_tested.go")] = path
			found, err := testsOf(path)
			if err != nil {
				return err
			}
			tests = append(tests, found...)
		}
		if len(tests) == 0 {
			continue
		}
		for _, name := range tests {
			s.tests = append(s.tests, test{len(p.imports), name})
		}
		p.imports = append(p.imports, kind.path)
	}
	if len(s.tests) == 0 {
		return errors.New("it has no tests")
	}
	p.suites = append(p.suites, s)
	return nil
}

// testsOf returns the names of a file's tests.
func testsOf(path string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil {
			continue
		}
		if fn.Name.Name == "TestMain" {
			return nil, fmt.Errorf("%s has a TestMain, which only a program of its own can run", path)
		}
		if isTest(fn.Name.Name) {
			names = append(names, fn.Name.Name)
		}
	}
	return names, nil
}

// isTest reports whether the go command takes a function of that name for a test.
func isTest(name string) bool {
	rest, ok := strings.CutPrefix(name, "Test")
	first, _ := utf8.DecodeRuneInString(rest)
	return ok && (rest == "" || !unicode.IsLower(first))
}

// source returns the program's main package.
func (p *program) source() []byte {
	var b bytes.Buffer
	b.WriteString("package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"regexp\"\n\t\"testing\"\n\n")
	for i, path := range p.imports {
		fmt.Fprintf(&b, "\tp%d %q\n", i, path)
	}
	b.WriteString(")\n\nfunc main() {\n\tsuites := map[string][]testing.InternalTest{\n")
	for _, s := range p.suites {
		fmt.Fprintf(&b, "\t\t%q: {\n", s.folder)
		for _, t := range s.tests {
			fmt.Fprintf(&b, "\t\t\t{Name: %q, F: p%d.%s},\n", t.name, t.place, t.name)
		}
		b.WriteString("\t\t},\n")
	}
	b.WriteString("\t}\n" + ending + "}\n")
	return b.Bytes()
}

// ending runs the tests of the package that the environment names.
const ending = `	tests, ok := suites[os.Getenv("EDM_TEST_PACKAGE")]
	if !ok {
		fmt.Fprintf(os.Stderr, "EDM_TEST_PACKAGE is %q, want one of", os.Getenv("EDM_TEST_PACKAGE"))
		for folder := range suites {
			fmt.Fprint(os.Stderr, " ", folder)
		}
		fmt.Fprintln(os.Stderr)
		os.Exit(2)
	}
	testing.Main(regexp.MatchString, tests, nil, nil)
`
