package model

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/model/precond"
)

// Model is a denoiser without weights: its parameter layout and, compiled at
// first use and kept, one program for each batch size and purpose. Weights are
// an argument of every run, so raw and averaged weights share programs. A Model
// is for one goroutine at a time.
type Model struct {
	config Config
	layout Layout
	device *Device
	eval   map[int]*program
	vjp    map[int]*vjpProgram // made at first use

	versions uint64 // of weights given out so far
}

// New returns the denoiser of a configuration on a device.
func New(c Config, d *Device) (*Model, error) {
	if d == nil {
		return nil, errors.New("model: no device: open one with OpenDevice")
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	layout, err := newLayout(c)
	if err != nil {
		return nil, err
	}
	return &Model{config: c, layout: layout, device: d, eval: map[int]*program{}}, nil
}

// Config returns the model's configuration.
func (m *Model) Config() Config { return m.config }

// Layout returns where each parameter lies in a flat buffer of weights.
func (m *Model) Layout() Layout { return m.layout }

// program is a compiled graph with its input buffers bound.
type program struct {
	*engine.Machine
	n       int              // images
	need    engine.Footprint // planned
	params  []*gorgonia.Node
	layout  Layout
	precond precond.Preconditioning
	dim     int
	weights *float32 // first element of the weights now bound
	version uint64   // and their version

	coeffs          [4][]float32 // c_skip, c_out, c_in, c_noise
	labels, augment []float32
	x, out          []float32 // evaluation: noisy images and D
}

// compile makes a program of a graph's outputs.
func (m *Model) compile(g *graph, outputs ...*gorgonia.Node) (*program, error) {
	compiled, err := engine.Compile(m.device.backend, outputs...)
	if err != nil {
		return nil, err
	}
	return m.load(g, compiled)
}

// load makes a compiled graph ready to run and binds buffers to the coefficients
// and labels.
func (m *Model) load(g *graph, compiled *engine.Program) (*program, error) {
	need, err := compiled.Footprint(g.given())
	if err != nil {
		return nil, err
	}
	machine, err := m.device.machine(compiled, g.n, need)
	if err != nil {
		return nil, err
	}
	p := &program{Machine: machine, n: g.n, need: need, layout: m.layout, precond: m.config.Precond, dim: m.config.Dim()}
	for _, q := range g.params {
		p.params = append(p.params, q.Node)
	}
	for i, n := range []*gorgonia.Node{g.cSkip, g.cOut, g.cIn, g.cNoise} {
		if p.coeffs[i], err = p.input(n); err != nil {
			return nil, err
		}
	}
	if g.labels != nil {
		if p.labels, err = p.input(g.labels); err != nil {
			return nil, err
		}
	}
	if g.augment != nil {
		p.augment, err = p.input(g.augment)
	}
	return p, err
}

// input binds a new buffer to a float input or output and returns it.
func (p *program) input(n *gorgonia.Node) ([]float32, error) {
	b := make([]float32, n.Shape().TotalSize())
	return b, p.Bind(n, engine.Buffer{F32: b})
}

// setWeights binds a flat buffer of weights. A version other than 0 identifies their
// contents among all weights of the model: kernels may cache values computed from
// them.
func (p *program) setWeights(flat []float32, version uint64) error {
	if len(flat) != p.layout.Size {
		return fmt.Errorf("model: weights of %d elements, want %d", len(flat), p.layout.Size)
	}
	if p.weights == &flat[0] && p.version == version {
		return nil
	}
	for i, q := range p.layout.Params {
		// A parameter that the outputs do not depend on is not in the program.
		if !p.Uses(p.params[i]) {
			continue
		}
		if err := p.BindVersion(p.params[i], engine.Buffer{F32: q.View(flat)}, version); err != nil {
			return err
		}
	}
	p.weights, p.version = &flat[0], version
	return nil
}

// setSigma writes the preconditioning's coefficients of image i.
func (p *program) setSigma(i int, sigma float64) {
	c := p.precond.Coeffs(sigma)
	for k, v := range [4]float64{c.CSkip, c.COut, c.CIn, c.CNoise} {
		p.coeffs[k][i] = float32(v)
	}
}

// setRows copies rows of labels for the first n images; nil means zeros.
func setRows(what string, dst, src []float32, n, batch int) error {
	if src == nil {
		clear(dst)
		return nil
	}
	if dst == nil {
		return fmt.Errorf("model: %s given to a network that has none", what)
	}
	if want := len(dst) / batch * n; len(src) != want {
		return fmt.Errorf("model: %d numbers of %s for %d images, want %d", len(src), what, n, want)
	}
	clear(dst[copy(dst, src):])
	return nil
}

// evaluation returns the program of D for n images.
func (m *Model) evaluation(n int) (*program, error) {
	if p := m.eval[n]; p != nil {
		return p, nil
	}
	g := newGraph(n, tensor.Float32)
	x := g.images("x", m.config.Network)
	if err := g.denoise(m.config, x, false); err != nil {
		return nil, err
	}
	p, err := m.compile(g, g.d)
	if err != nil {
		return nil, err
	}
	if p.x, err = p.input(x); err != nil {
		return nil, err
	}
	if p.out, err = p.input(g.d); err != nil {
		return nil, err
	}
	m.eval[n] = p
	return p, nil
}
