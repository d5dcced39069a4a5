package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/detached"
)

// A backend that runs whole programs in a memory of its own gives the bits that
// the machine gives by itself.
func TestExecutorRunsPrograms(t *testing.T) {
	want := newTiny(t, tensor.Float32).run(t, engine.Portable{})
	net := newTiny(t, tensor.Float32)
	m := net.machine(t, &detached.Backend{})
	for run := range 2 {
		for i, got := range net.values(t, m) {
			if !slices.Equal(got, want[i]) {
				t.Fatalf("run %d: %s differs", run, net.names[i])
			}
		}
	}
	steps := 0
	if err := m.RunTimed(func(*engine.Step, time.Duration) { steps++ }); err != nil || steps != len(m.Program().Steps) {
		t.Errorf("%d of %d steps were timed, error %v", steps, len(m.Program().Steps), err)
	}
}

// sum is a program that adds two vectors of four, on a backend.
type sum struct {
	*engine.Machine
	first, last *gorgonia.Node // x and the output
	x, y, out   []float32
}

func newSum(t *testing.T, b engine.Backend) *sum {
	t.Helper()
	g := gorgonia.NewGraph()
	input := func(name string) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(4), gorgonia.WithName(name))
	}
	x, y := input("x"), input("y")
	z, err := op.Apply(op.Add{Rank: 1}, x, y)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(b, z)
	if err != nil {
		t.Fatal(err)
	}
	s := &sum{first: x, last: z, x: []float32{1, 2, 3, 4}, y: []float32{10, 20, 30, 40}, out: make([]float32, 4)}
	if s.Machine, err = engine.NewMachine(p); err != nil {
		t.Fatal(err)
	}
	for n, b := range map[*gorgonia.Node][]float32{x: s.x, y: s.y, z: s.out} {
		if err := s.Bind(n, engine.Buffer{F32: b}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *sum) want(t *testing.T, what string, want ...float32) {
	t.Helper()
	if !slices.Equal(s.out, want) {
		t.Errorf("%s: %v, want %v", what, s.out, want)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// What is not mirrored is copied at the start of a run and back at its end; what
// is mirrored moves by Upload and Download alone.
func TestMirroredBuffers(t *testing.T) {
	b := &detached.Backend{}
	s := newSum(t, b)
	must(t, s.Start())
	s.x[0] = 100 // for the next run
	must(t, s.Prefetch(), s.Wait())
	s.want(t, "staged", 11, 22, 33, 44)
	must(t, s.RunAll())
	s.want(t, "staged again", 110, 22, 33, 44)

	must(t, b.Mirror(s.x), b.Mirror(s.out))
	s.x[0] = 1
	must(t, s.RunAll())
	s.want(t, "before the download", 110, 22, 33, 44)
	s.out[0] = 0
	must(t, b.Download(s.out))
	s.want(t, "with what was mirrored", 110, 22, 33, 44)
	must(t, b.Upload(s.x), s.RunAll(), b.Download(s.out[:2]))
	s.want(t, "after the upload", 11, 22, 33, 44)

	must(t, b.Release(s.x), b.Release(s.out))
	s.x[1] = 0
	must(t, s.RunAll())
	s.want(t, "released", 11, 20, 33, 44)
}

// Faults of the backend reach the caller, and its own reasons stay readable.
func TestExecutorFaults(t *testing.T) {
	b := &detached.Backend{FailRun: 2}
	s := newSum(t, b)
	must(t, s.RunAll())
	if err := s.RunAll(); !errors.Is(err, detached.ErrFault) {
		t.Errorf("second run: %v, want the fault", err)
	}
	s.want(t, "after the fault", 11, 22, 33, 44)

	net := newTiny(t, tensor.Float32)
	p, err := engine.Compile(&detached.Backend{Capacity: 1000}, net.outputs...)
	must(t, err)
	var full *engine.OutOfMemory
	if _, err := engine.NewMachine(p); !errors.As(err, &full) || full.Planned != p.ArenaBytes() || full.Free != 1000 {
		t.Errorf("%v, want an OutOfMemory for %d bytes", err, p.ArenaBytes())
	}
	refused := refusing{&detached.Backend{}}
	if _, err := engine.Compile(refused, net.outputs...); err == nil || !strings.Contains(err.Error(), "op.Attn{") {
		t.Errorf("compiled what the backend cannot run: %v", err)
	}
}

// refusing has no attention.
type refusing struct{ *detached.Backend }

func (r refusing) Layout(p *engine.Program) (engine.Layout, error) {
	for _, s := range p.Steps {
		if _, ok := s.Spec.(op.Attn); ok {
			return engine.Layout{}, errors.New("no kernel for " + op.Op{Spec: s.Spec}.String())
		}
	}
	return r.Backend.Layout(p)
}
