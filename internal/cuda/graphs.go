//go:build gpu

package cuda

import (
	"errors"
	"slices"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// maxGraphs is the number of graphs that a program keeps: one for each choice of
// memory that its inputs and outputs were bound to.
const maxGraphs = 8

// recorded is the program captured with its arrays at fixed addresses.
type recorded struct {
	addresses []pointer // of every value
	maps      pointer   // tensor maps for them
	graph     *driver.Graph
	trail     *trail
}

// replay queues the graph, which is not running.
func (g *recorded) replay(s *driver.Stream) error {
	g.trail.clear()
	return s.Replay(g.graph)
}

// closeRecorded frees the memory of a captured program, which must not be running.
func (b *Backend) closeRecorded(g *recorded) error {
	return errors.Join(g.graph.Close(), g.trail.close(), b.free(g.maps))
}

// graph returns the program captured for the addresses as they are.
func (r *runner) graph() (*recorded, error) {
	if r.current != nil {
		return r.current, nil
	}
	for i, g := range r.graphs {
		if r.matches(g) {
			r.graphs = append(slices.Delete(r.graphs, i, i+1), g) // the last one used comes last
			r.current = g
			return g, nil
		}
	}
	if len(r.graphs) == maxGraphs {
		// It may be what runs: graphs are destroyed when they are done.
		if err := r.b.compute.Synchronize(); err != nil {
			return nil, err
		}
		oldest := r.graphs[0]
		r.graphs = slices.Delete(r.graphs, 0, 1)
		if err := r.b.closeRecorded(oldest); err != nil {
			return nil, err
		}
	}
	g, err := r.record()
	if err != nil {
		return nil, err
	}
	r.graphs, r.current = append(r.graphs, g), g
	return g, nil
}

// matches reports whether a graph's addresses are those of now.
func (r *runner) matches(g *recorded) bool {
	for id, at := range g.addresses {
		if r.values[id].at != at {
			return false
		}
	}
	return true
}

// record captures the program.
func (r *runner) record() (*recorded, error) {
	g := &recorded{}
	for id := range r.values {
		g.addresses = append(g.addresses, r.values[id].at)
	}
	var err error
	if g.trail, err = r.b.newTrail(slices.Collect(r.sequence())); err != nil {
		return nil, err
	}
	if err = r.capture(g); err != nil {
		return nil, errors.Join(err, g.trail.close(), r.b.free(g.maps))
	}
	return g, nil
}

// capture captures the launches of a trail.
func (r *runner) capture(g *recorded) error {
	// Modules are loaded and attributes set before the capture.
	var all []*ready
	for i, l := range g.trail.launches {
		p, err := r.b.modules.prepare(l.launch, g.trail.mark(i))
		if err != nil {
			return r.fault(l, err)
		}
		all = append(all, p)
	}
	var err error
	if g.maps, err = r.b.place(all); err != nil {
		return err
	}
	g.graph, err = r.b.compute.Capture(func() error {
		for i, l := range all {
			if err := l.start(r.b.compute); err != nil {
				return r.fault(g.trail.launches[i], err)
			}
		}
		return nil
	})
	return err
}

var _ engine.Prefetcher = (*runner)(nil)
