package rules

import (
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNoInternalTypesInTheAPI: another module can name every type that an exported
// function, method or field of a public package has.
func TestNoInternalTypesInTheAPI(t *testing.T) {
	// What the project's own tests and measurements reach the executor by.
	known := map[string]bool{
		"model.Batch edm/internal/rng.Stream": true, "model.Denoiser edm/internal/engine.Machine": true,
		"model.Device edm/internal/engine.Backend": true, "model.Loss edm/internal/engine.Machine": true,
		"model.NewDevice edm/internal/engine.Backend": true,
	}
	public := []string{"train", "model", "model/noise", "model/precond", "model/classifier", "unet", "loss", "data", "data/augment",
		"sample", "sample/generate", "sample/guide", "sample/likelihood", "checkpoints", "checkpoints/safetensors"}
	of := importer.ForCompiler(token.NewFileSet(), "gc", exports(t))
	for _, dir := range public {
		p, err := of.Import(Module + "/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.Scope().Names() {
			if o := p.Scope().Lookup(name); o.Exported() {
				for _, leak := range internalIn(o) {
					if !known[dir+"."+name+" "+leak] {
						t.Errorf("%s.%s shows %s, which another module cannot name", dir, name, leak)
					}
				}
			}
		}
	}
}

// exports returns a lookup of what the compiler exports of each package.
func exports(t *testing.T) importer.Lookup {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", Module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// internalIn returns the internal types in an object's exported surface.
func internalIn(o types.Object) []string {
	w := &walker{seen: map[types.Type]bool{}}
	w.walk(o.Type())
	if n, ok := o.(*types.TypeName); ok {
		if named, ok := n.Type().(*types.Named); ok {
			w.walk(named.Underlying())
			for m := range named.Methods() {
				if m.Exported() {
					w.walk(m.Type())
				}
			}
		}
	}
	return w.found
}

type walker struct {
	seen  map[types.Type]bool
	found []string
}

func (w *walker) walk(t types.Type) {
	if t == nil || w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		if of := types.Unalias(t); isInternal(t.Obj()) {
			w.walk(of)
		} else {
			w.walk(of.Underlying()) // its name is public
		}
	case *types.Named:
		if isInternal(t.Obj()) {
			w.found = append(w.found, types.TypeString(t, nil))
		}
	case *types.Pointer:
		w.walk(t.Elem())
	case *types.Slice:
		w.walk(t.Elem())
	case *types.Array:
		w.walk(t.Elem())
	case *types.Chan:
		w.walk(t.Elem())
	case *types.Map:
		w.walk(t.Key())
		w.walk(t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			w.walk(v.Type())
		}
	case *types.Signature:
		w.walk(t.Params())
		w.walk(t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				w.walk(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				w.walk(m.Type())
			}
		}
	}
}

func isInternal(o *types.TypeName) bool {
	return o.Pkg() != nil && strings.HasPrefix(o.Pkg().Path(), Module+"/internal/")
}
