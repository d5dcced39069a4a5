package classifier

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/model"
)

// purpose names the outputs of a program.
type purpose int

const (
	predict purpose = iota // the logits
	steer                  // the gradient of ln p(class) by x
	learn                  // the loss, and its gradient by every parameter
)

// program is a compiled graph with its buffers.
type program struct {
	*engine.Machine
	config         Config
	x, cIn, cNoise []float32
	target         []float32 // [n,Classes]
	cotangent      []float32 // [n], of the cross-entropy
	logits         []float32 // [n,Classes], to predict
	losses         []float32 // [n], otherwise
	dx             []float32 // [n,C,H,W], to steer
}

// newProgram compiles a network for n images with a flat buffer of weights and,
// to learn, one of gradients.
func newProgram(d *model.Device, c Config, l model.Layout, weights, grad []float32, n int, what purpose) (*program, error) {
	b, err := newNetwork(c, n)
	if err != nil {
		return nil, err
	}
	p := &program{config: c}
	outputs, bound := gorgonia.Nodes{b.logits}, []binding{{b.logits, &p.logits}}
	var grads gorgonia.Nodes
	if what != predict {
		if grads, bound, err = p.differentiate(b, n, what); err != nil {
			return nil, err
		}
		outputs = append(gorgonia.Nodes{bound[0].node}, grads...)
	}
	compiled, err := engine.Compile(d.Backend(), outputs...)
	if err != nil {
		return nil, err
	}
	if p.Machine, err = engine.NewMachine(compiled); err != nil {
		return nil, err
	}
	if what == learn {
		if err := p.bindParams(l, grads, grad); err != nil {
			return nil, err
		}
	}
	if err := p.bindParams(l, b.nodes(), weights); err != nil {
		return nil, err
	}
	return p, p.bind(append(bound, binding{b.x, &p.x}, binding{b.cIn, &p.cIn}, binding{b.cNoise, &p.cNoise}))
}

// differentiate adds the loss of each image and the gradients that the purpose
// is about; the first binding is the loss's.
func (p *program) differentiate(b *network, n int, what purpose) (gorgonia.Nodes, []binding, error) {
	target, cotangent := b.input("target", n, p.config.Classes), b.input("cotangent", n)
	losses := b.Apply(op.CrossEntropy{}, b.logits, target)
	if b.Err != nil {
		return nil, nil, fmt.Errorf("classifier: build: %w", b.Err)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{losses}, gorgonia.Nodes{cotangent}, b.wrt(what))
	if err != nil {
		return nil, nil, fmt.Errorf("classifier: differentiate: %w", err)
	}
	bound := []binding{{losses, &p.losses}, {target, &p.target}, {cotangent, &p.cotangent}}
	if what == steer {
		bound = append(bound, binding{grads[0], &p.dx})
	}
	return grads, bound, nil
}

// wrt returns the nodes that a purpose differentiates by.
func (b *network) wrt(what purpose) gorgonia.Nodes {
	if what == steer {
		return gorgonia.Nodes{b.x}
	}
	return b.nodes()
}

// nodes returns the parameters' nodes.
func (b *network) nodes() gorgonia.Nodes {
	var all gorgonia.Nodes
	for _, p := range b.params {
		all = append(all, p.node)
	}
	return all
}

// binding is an input or output that gets memory of its own.
type binding struct {
	node *gorgonia.Node
	to   *[]float32
}

func (p *program) bind(all []binding) error {
	for _, b := range all {
		*b.to = make([]float32, b.node.Shape().TotalSize())
		if err := p.Bind(b.node, engine.Buffer{F32: *b.to}); err != nil {
			return err
		}
	}
	return nil
}

// bindParams binds the parameters' places in a flat buffer to nodes, which must
// all be different.
func (p *program) bindParams(l model.Layout, nodes gorgonia.Nodes, flat []float32) error {
	seen := map[*gorgonia.Node]bool{}
	for i, n := range nodes {
		if seen[n] {
			return fmt.Errorf("classifier: %s has the gradient of another parameter", l.Params[i].Name)
		}
		seen[n] = true
		if err := p.Bind(n, engine.Buffer{F32: l.Params[i].View(flat)}); err != nil {
			return err
		}
	}
	return nil
}

// setSigma writes the coefficients of image i.
func (p *program) setSigma(i int, sigma float64) {
	p.cIn[i], p.cNoise[i] = p.config.coeffs(sigma)
}
