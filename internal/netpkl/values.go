package netpkl

import (
	"fmt"
	"math/big"

	"github.com/nlpodyssey/gopickle/types"
)

// object is an instance: of a class of the networks' code, whose pickle holds
// the class by name and its attributes as a dict, or of one of PyTorch's
// containers.
type object struct {
	class string
	state any // the attributes; nil if none
}

// PySetState gives the object its attributes; the machine calls it.
func (o *object) PySetState(state any) error {
	if o.state != nil {
		return refuse("a %s is given attributes twice", o.class)
	}
	o.state = state
	return nil
}

// class makes objects without attributes.
type class string

// PyNew returns an object of the class; the machine calls it.
func (c class) PyNew(...any) (any, error) { return &object{class: string(c)}, nil }

// dictClass makes dicts: dnnlib.EasyDict is one.
type dictClass struct{}

// PyNew returns an empty dict; the machine calls it.
func (dictClass) PyNew(args ...any) (any, error) {
	if len(args) != 0 {
		return nil, refuse("EasyDict made from %d arguments, want none", len(args))
	}
	return types.NewDict(), nil
}

// function is a global that may be called.
type function struct {
	name string
	call func(args []any) (any, error)
}

// Call runs the function; the machine calls it.
func (f *function) Call(args ...any) (any, error) {
	v, err := f.call(args)
	if err != nil {
		return nil, refuse("%s: %w", f.name, err)
	}
	return v, nil
}

// maxFields bounds the members of one dict. A published network's largest has
// about forty.
const maxFields = 1 << 10

// fieldsOf returns a dict with names as keys.
func fieldsOf(v any) (map[string]any, error) {
	out := map[string]any{}
	err := eachField(v, func(name string, value any) error {
		if _, ok := out[name]; ok {
			return fmt.Errorf("the name %q occurs twice", name)
		}
		out[name] = value
		return nil
	})
	return out, err
}

// eachField visits the members of a dict in order.
func eachField(v any, visit func(name string, value any) error) error {
	switch d := v.(type) {
	case *types.Dict:
		if d.Len() > maxFields {
			return fmt.Errorf("a dict of %d members, want at most %d", d.Len(), maxFields)
		}
		for _, e := range *d {
			if err := visitField(e.Key, e.Value, visit); err != nil {
				return err
			}
		}
		return nil
	case *types.OrderedDict:
		if d.Len() > maxFields {
			return fmt.Errorf("a dict of %d members, want at most %d", d.Len(), maxFields)
		}
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			if err := visitField(entry.Key, entry.Value, visit); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s, want a dict", kindOf(v))
}

func visitField(key, value any, visit func(name string, value any) error) error {
	name, ok := key.(string)
	if !ok {
		return fmt.Errorf("a dict with %s as a key, want a short string", kindOf(key))
	}
	return visit(name, value)
}

// items returns the members of a list or tuple.
func items(v any) ([]any, bool) {
	switch l := v.(type) {
	case *types.List:
		return *l, true
	case *types.Tuple:
		return *l, true
	}
	return nil, false
}

// kindOf describes a value in the words of Python.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int, *big.Int:
		return "an integer"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case *blob:
		if v.text {
			return "a long string"
		}
		return "long bytes"
	case *types.Dict, *types.OrderedDict:
		return "a dict"
	case *types.List:
		return "a list"
	case *types.Tuple:
		return "a tuple"
	case *types.Set, *types.FrozenSet:
		return "a set"
	case *tensor:
		return "a tensor"
	case *object:
		return "an object of class " + v.class
	}
	return "something else"
}
