package netpkl

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// attributes are the settings of a module: its own attributes, else the
// arguments that it was made with, else published defaults. Faults are
// collected.
type attributes struct {
	of     string
	values map[string]any
	errs   []error
}

// settings returns the settings of a module whose constructor has the given
// parameters, in order, parted by spaces.
func settings(m *module, parameters string) (*attributes, error) {
	a := &attributes{of: m.class, values: map[string]any{}}
	names := strings.Fields(parameters)
	if args := m.attrs["_init_args"]; args != nil {
		list, ok := items(args)
		if !ok || len(list) > len(names) {
			return nil, fmt.Errorf("%s: _init_args is no tuple of at most %d", m.class, len(names))
		}
		for i, v := range list {
			a.values[names[i]] = v
		}
	}
	if kwargs := m.attrs["_init_kwargs"]; kwargs != nil {
		named, err := fieldsOf(kwargs)
		if err != nil {
			return nil, fmt.Errorf("%s: _init_kwargs: %w", m.class, err)
		}
		maps.Copy(a.values, named)
	}
	for _, name := range names {
		if v, ok := m.attrs[name]; ok {
			a.values[name] = v
		}
	}
	return a, nil
}

// unknown returns the names of arguments that are none of the parameters.
func (a *attributes) unknown(parameters string) []string {
	rest := maps.Clone(a.values)
	for _, name := range strings.Fields(parameters) {
		delete(rest, name)
	}
	return slices.Sorted(maps.Keys(rest))
}

func (a *attributes) fault(name string, v any, want string) {
	a.errs = append(a.errs, fmt.Errorf("%s: %s is %s, want %s", a.of, name, kindOf(v), want))
}

func (a *attributes) err() error { return errors.Join(a.errs...) }

// number returns a number; booleans are none.
func (a *attributes) number(name string, published float64) float64 {
	v, ok := a.values[name]
	if !ok {
		return published
	}
	x, ok := asNumber(v)
	if !ok {
		a.fault(name, v, "a number")
	}
	return x
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// integer returns a whole number.
func (a *attributes) integer(name string, published int) int {
	v, ok := a.values[name]
	if !ok {
		return published
	}
	x, ok := asInteger(v)
	if !ok {
		a.fault(name, v, "a whole number")
	}
	return x
}

func asInteger(v any) (int, bool) {
	x, ok := asNumber(v)
	return int(x), ok && x == math.Trunc(x) && math.Abs(x) <= 1<<31
}

func (a *attributes) text(name, published string) string {
	v, ok := a.values[name]
	if !ok {
		return published
	}
	s, ok := v.(string)
	if !ok {
		a.fault(name, v, "a short string")
	}
	return s
}

// maxList bounds lists of settings.
const maxList = 64

func (a *attributes) numbers(name string, published ...float64) []float64 {
	v, ok := a.values[name]
	if !ok {
		return published
	}
	list, ok := items(v)
	out := make([]float64, 0, maxList)
	for i := 0; ok && i < len(list); i++ {
		var x float64
		x, ok = asNumber(list[i])
		ok = ok && len(out) < maxList
		out = append(out, x)
	}
	if !ok {
		a.fault(name, v, "a list of numbers")
	}
	return out
}

func (a *attributes) integers(name string, published ...int) []int {
	wide := make([]float64, len(published))
	for i, x := range published {
		wide[i] = float64(x)
	}
	out := []int{}
	for _, x := range a.numbers(name, wide...) {
		i, ok := asInteger(x)
		if !ok {
			a.fault(name, x, "a list of whole numbers")
			break
		}
		out = append(out, i)
	}
	return out
}
