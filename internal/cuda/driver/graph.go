//go:build gpu

package driver

// #include "extra.h"
import "C"

import (
	"errors"
	"fmt"
)

// Graph is recorded work of a stream, launched as one. Its launches' arguments
// are what they were while it was recorded.
type Graph struct {
	device *Device
	exec   C.CUgraphExec
	nodes  int
}

// Capture records what record queues on the stream, and on streams that wait for
// its events and whose own it waits for in the end, instead of doing it. record
// runs on the device's thread; no other goroutine's calls come between. It must
// not allocate, load, synchronize or copy synchronously.
func (s *Stream) Capture(record func() error) (*Graph, error) {
	g := &Graph{device: s.device}
	err := s.device.Do(func() error {
		stream := C.CUstream(s.raw())
		err := check("cuStreamBeginCapture_v2", C.edm_begin_capture(stream))
		if err != nil {
			return err
		}
		err = record()
		var graph C.CUgraph
		if e := check("cuStreamEndCapture", C.cuStreamEndCapture(stream, &graph)); e != nil {
			// A failed call invalidates the capture: its own error says more.
			return errors.Join(err, e)
		}
		if err == nil {
			err = g.instantiate(graph)
		}
		return errors.Join(err, check("cuGraphDestroy", C.cuGraphDestroy(graph)))
	})
	if err != nil {
		return nil, fmt.Errorf("driver: capture a graph: %w", err)
	}
	return g, nil
}

// instantiate makes the graph ready to launch.
func (g *Graph) instantiate(graph C.CUgraph) error {
	var n C.size_t
	if err := check("cuGraphGetNodes", C.cuGraphGetNodes(graph, nil, &n)); err != nil {
		return err
	}
	g.nodes = int(n)
	if err := check("cuGraphInstantiateWithFlags", C.cuGraphInstantiateWithFlags(&g.exec, graph, 0)); err != nil {
		return err
	}
	g.device.held.keep(g, g.Close)
	return nil
}

// Nodes returns the number of launches, copies and fills of the graph.
func (g *Graph) Nodes() int { return g.nodes }

// Replay queues the graph on the stream.
func (s *Stream) Replay(g *Graph) error {
	return s.device.Do(func() error {
		return check("cuGraphLaunch", C.cuGraphLaunch(g.exec, C.CUstream(s.raw())))
	})
}

// Close destroys the graph, which must not be running.
func (g *Graph) Close() error {
	if g.exec == nil {
		return nil
	}
	return g.device.Do(func() error {
		g.device.held.drop(g)
		err := check("cuGraphExecDestroy", C.cuGraphExecDestroy(g.exec))
		g.exec = nil
		return err
	})
}
