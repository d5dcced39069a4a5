package netpkl

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"edm/model"
	"edm/model/precond"
)

// Bounds of the tree of modules. A published network has about five hundred, at
// most five deep.
const (
	maxModules = 1 << 13
	maxDepth   = 16
)

// memberName matches names of PyTorch's modules, parameters and buffers that make no
// path ambiguous.
var memberName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// module is one nn.Module of a network.
type module struct {
	path    string // "model.enc.32x32_conv"; "" is the preconditioner
	class   string
	attrs   map[string]any     // its __dict__
	tensors map[string]*tensor // parameters and buffers by their own names
}

// tree is all modules of a network: the preconditioner first, each before its
// members.
type tree struct {
	modules []*module
	seen    map[*object]bool
}

// walk lists the modules below root.
func walk(root *object) (*tree, error) {
	t := &tree{seen: map[*object]bool{}}
	if err := t.add(root, "", 0); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *tree) add(o *object, path string, depth int) error {
	switch {
	case depth > maxDepth:
		return fmt.Errorf("modules are nested deeper than %d", maxDepth)
	case len(t.modules) == maxModules:
		return fmt.Errorf("more than %d modules", maxModules)
	case t.seen[o]:
		return fmt.Errorf("module %s is part of the network twice", path)
	}
	t.seen[o] = true
	m, err := newModule(o, path)
	if err != nil {
		return fmt.Errorf("module %s: %w", describe(path), err)
	}
	t.modules = append(t.modules, m)
	return eachMember(m.attrs["_modules"], func(name string, v any) error {
		if v == nil {
			return nil
		}
		child, ok := v.(*object)
		if !ok {
			return fmt.Errorf("module %s is %s", join(path, name), kindOf(v))
		}
		return t.add(child, join(path, name), depth+1)
	})
}

func newModule(o *object, path string) (*module, error) {
	attrs, err := fieldsOf(o.state)
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	m := &module{path: path, class: o.class, attrs: attrs, tensors: map[string]*tensor{}}
	for _, kind := range []string{"_parameters", "_buffers"} {
		err := eachMember(attrs[kind], func(name string, v any) error {
			if v == nil {
				return nil
			}
			t, ok := v.(*tensor)
			if !ok {
				return fmt.Errorf("%s is %s, want a tensor", name, kindOf(v))
			}
			if m.tensors[name] != nil {
				return fmt.Errorf("two tensors %s", name)
			}
			m.tensors[name] = t
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// eachMember visits a module's list of members of one kind. Every module of
// PyTorch has the list, be it empty.
func eachMember(v any, visit func(name string, v any) error) error {
	if v == nil {
		return errors.New("not a PyTorch module: no list of its members")
	}
	return eachField(v, func(name string, v any) error {
		if !memberName.MatchString(name) {
			return fmt.Errorf("a member called %q", name)
		}
		return visit(name, v)
	})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func describe(path string) string {
	if path == "" {
		return "of the preconditioning"
	}
	return path
}

// find returns the module at a path, or nil.
func (t *tree) find(path string) *module {
	for _, m := range t.modules {
		if m.path == path {
			return m
		}
	}
	return nil
}

// The buffers that the published modules have besides parameters.
const (
	filterName = "resample_filter" // a constant of the configuration
	tableName  = "u"               // iDDPM's noise levels
)

// tensors returns the tensors that the configuration needs, by path, and checks their
// names and shapes before it reads any.
func (t *tree) tensors(c model.Config) (map[string]*tensor, error) {
	found, err := t.named()
	if err != nil {
		return nil, err
	}
	// A small file may describe a huge network, and its layout is built below.
	// Every block is in the encoder and in the decoder, with ten tensors each.
	if blocks := c.Network.NumBlocks * len(c.Network.ChannelMult); 20*blocks > len(found) {
		return nil, fmt.Errorf("its attributes ask for %d blocks each way, but it has only %d tensors", blocks, len(found))
	}
	m, err := model.New(c, model.Portable())
	if err != nil {
		return nil, err
	}
	unknown := maps.Clone(found)
	if c.Precond.Name() == precond.IDDPMName {
		delete(unknown, tableName)
	}
	for _, p := range m.Layout().Params {
		v := found[p.Name]
		if v == nil {
			return nil, fmt.Errorf("no tensor %s, which its attributes ask for", p.Name)
		}
		if !slices.Equal(v.shape, p.Shape) {
			return nil, fmt.Errorf("tensor %s has shape %v, its attributes ask for %v", p.Name, v.shape, p.Shape)
		}
		delete(unknown, p.Name)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("tensor %s does not belong to the network that its attributes describe", slices.Sorted(maps.Keys(unknown))[0])
	}
	return found, nil
}

// named returns every tensor but the resampling filters, by path.
func (t *tree) named() (map[string]*tensor, error) {
	found := map[string]*tensor{}
	for _, m := range t.modules {
		for name, v := range m.tensors {
			path := join(m.path, name)
			if found[path] != nil {
				return nil, fmt.Errorf("two tensors %s", path)
			}
			if name != filterName {
				found[path] = v
			}
		}
	}
	return found, nil
}
