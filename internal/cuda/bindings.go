//go:build gpu

package cuda

import (
	"errors"
	"slices"

	"edm/internal/engine"
)

// bound is what an input or output stands for now, and where every value lies.
type bound struct {
	buffer  engine.Buffer
	version uint64
	at      pointer
	staged  *staged // of buffer; nil unless it was needed
	fed     *fed    // nil unless it was needed
	feeding bool    // the feed is bound, not buffer
}

// Bind implements engine.Runner.
func (r *runner) Bind(id int, b engine.Buffer, version uint64) {
	v := &r.values[id]
	if same(v.buffer, b) && v.version == version && !v.feeding {
		return
	}
	v.buffer, v.version, v.feeding = b, version, false
	r.stale = true
}

// same reports whether two buffers are the same memory.
func same(a, b engine.Buffer) bool {
	x, y := bytesOf(a), bytesOf(b)
	return len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
}

// resolve looks up where inputs and outputs lie: with their counterparts, where
// they are staged, or where they are made of what is.
func (r *runner) resolve() error {
	var inputs, outputs []*staged
	for id := range r.values {
		role := r.program.Value(id).Role
		if role == engine.Intermediate {
			continue
		}
		v := &r.values[id]
		v.leave()
		if at, ok := r.b.mirrors.find(v.buffer.F32); ok && !v.feeding {
			r.move(v, at)
			continue
		}
		s, isNew := v.stage()
		if isNew && role == engine.Input {
			inputs = append(inputs, s)
		} else if isNew {
			outputs = append(outputs, s)
		}
	}
	if err := errors.Join(r.lanes.add(inputs, true), r.lanes.add(outputs, false)); err != nil {
		r.forget(inputs, outputs)
		return err
	}
	return r.settle()
}

// settle gives the values that are staged, or made of what is, their addresses.
func (r *runner) settle() error {
	for id := range r.values {
		v := &r.values[id]
		if v.feeding {
			at, err := r.makePlace(v.fed, r.program.Value(id).Shape.TotalSize())
			if err != nil {
				return err
			}
			r.move(v, at)
		} else if v.staged != nil && v.staged.host != nil {
			r.move(v, v.staged.place())
		}
	}
	return nil
}

// place returns where a value notes how it is staged now.
func (v *bound) place() **staged {
	if v.feeding {
		return &v.fed.staged
	}
	return &v.staged
}

// leave ends the staging of a value, until stage.
func (v *bound) leave() {
	if v.staged != nil {
		v.staged.host = nil
	}
	if v.fed != nil && v.fed.staged != nil {
		v.fed.staged.host = nil
	}
}

// stage returns how a value is staged now, and whether that has no place yet.
func (v *bound) stage() (s *staged, isNew bool) {
	host, version := bytesOf(v.buffer), v.version
	if v.feeding {
		host, version = v.fed.sent, 0
	}
	place := v.place()
	if isNew = *place == nil; isNew {
		*place = &staged{size: len(host)}
	}
	s = *place
	s.host, s.version = host, version
	return s, isNew
}

// forget makes the values that got no place ask for one again.
func (r *runner) forget(groups ...[]*staged) {
	for id := range r.values {
		place := r.values[id].place()
		for _, members := range groups {
			if *place != nil && (*place).block == nil && slices.Contains(members, *place) {
				*place = nil
			}
		}
	}
}

// move notes where a value lies.
func (r *runner) move(v *bound, at pointer) {
	if v.at != at {
		v.at, r.current = at, nil
	}
}
