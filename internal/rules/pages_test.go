package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// top is the top of the module, seen from this package.
const top = "../.."

// symbols returns the exported names of a package: functions, types, constants and
// variables, and Type.Name for methods, fields and the methods of interfaces.
func symbols(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(top, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files (%v)", dir, len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			addDeclaration(found, d)
		}
	}
	return found
}

func addDeclaration(found map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			found[d.Name.Name] = true
			return
		}
		of := d.Recv.List[0].Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		if name, ok := of.(*ast.Ident); ok {
			found[name.Name+"."+d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			addSpec(found, s)
		}
	}
}

func addSpec(found map[string]bool, s ast.Spec) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			found[n.Name] = true
		}
	case *ast.TypeSpec:
		found[s.Name.Name] = true
		var fields *ast.FieldList
		switch of := s.Type.(type) {
		case *ast.StructType:
			fields = of.Fields
		case *ast.InterfaceType:
			fields = of.Methods
		default:
			return
		}
		for _, field := range fields.List {
			for _, n := range field.Names {
				found[s.Name.Name+"."+n.Name] = true
			}
		}
	}
}

// folders of the packages that docs/paper.md names.
func paperPackages() map[string]string {
	return map[string]string{
		"sample": "sample", "generate": "sample/generate", "guide": "sample/guide", "likelihood": "sample/likelihood",
		"noise": "model/noise", "precond": "model/precond", "model": "model", "unet": "unet", "loss": "loss", "train": "train",
		"augment": "data/augment",
	}
}

// TestPaperPage: every symbol that docs/paper.md names is there.
func TestPaperPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top, "docs", "paper.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+)\\.([A-Z][A-Za-z0-9]*(?:\\.[A-Z][A-Za-z0-9]*)?)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 50 {
		t.Fatalf("%d symbols, want fifty or more", len(named))
	}
	known := map[string]map[string]bool{}
	for _, n := range named {
		dir, ok := paperPackages()[n[1]]
		if !ok {
			t.Errorf("%s is not a package that the page may name", n[1])
			continue
		}
		if known[dir] == nil {
			known[dir] = symbols(t, dir)
		}
		if !known[dir][n[2]] {
			t.Errorf("%s.%s is gone", n[1], n[2])
		}
	}
}

// TestLinks: every relative link of a page leads to a file.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	links := 0
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && p != top && (strings.HasPrefix(name, ".") || name == "build" || name == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".md" {
			return nil
		}
		page, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), m[1])); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 40 {
		t.Errorf("%d links, want forty or more", links)
	}
}
