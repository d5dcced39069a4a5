// Package registry builds values by name, of a package's own and of others.
package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Builder makes a value of its constants by name.
type Builder[T any] = func(params map[string]float64) (T, error)

// Registry has the builders of one kind of values. Its methods may be called
// concurrently.
type Registry[T any] struct {
	pkg   string // for errors
	kind  string // of a value, for errors
	own   func() map[string]Builder[T]
	mutex sync.RWMutex
	added map[string]Builder[T]
}

// New returns a registry with a package's own builders. Errors begin with the package
// and call a value a kind, as "objective".
func New[T any](pkg, kind string, own func() map[string]Builder[T]) *Registry[T] {
	return &Registry[T]{pkg: pkg, kind: kind, own: own, added: map[string]Builder[T]{}}
}

// Register adds a builder, in place of one that was registered by that name before. The
// package's own names are errors.
func (r *Registry[T]) Register(name string, build Builder[T]) error {
	if _, taken := r.own()[name]; taken || name == "" || build == nil {
		return fmt.Errorf("%s: register %s %q: want a name that the package does not have, and a constructor", r.pkg, r.kind, name)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.added[name] = build
	return nil
}

// Names returns all names, sorted.
func (r *Registry[T]) Names() []string { return slices.Sorted(maps.Keys(r.all())) }

// Builder returns the builder of a name.
func (r *Registry[T]) Builder(name string) (Builder[T], error) {
	build, ok := r.all()[name]
	if !ok {
		return nil, fmt.Errorf("%s: unknown %s %q, want one of %s", r.pkg, r.kind, name, strings.Join(r.Names(), ", "))
	}
	return build, nil
}

func (r *Registry[T]) all() map[string]Builder[T] {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	all := maps.Clone(r.added)
	maps.Copy(all, r.own())
	return all
}
