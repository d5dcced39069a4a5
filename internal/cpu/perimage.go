package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// definition evaluates a spec image by image on all threads.
type definition struct {
	b      *Backend
	spec   op.Spec
	perRow []bool // inputs that have one row an image
	args   *engine.Args
	calls  []op.Args[float32]
	job    func(chunk, worker int)
}

// newPerImage returns a kernel that evaluates an op with independent images by
// its definition, in parallel. Inputs marked in perImage and the output have
// the batch as their first dimension; the others are passed whole.
func newPerImage(b *Backend, c engine.Call, perImage ...bool) *definition {
	d := &definition{b: b, spec: c.Spec, perRow: perImage}
	d.calls = make([]op.Args[float32], c.Out[0])
	for n := range d.calls {
		a := &d.calls[n]
		a.In, a.Whole = make([][]float32, len(c.In)), make([][]int64, len(c.In))
		a.OutShape = c.Out.Clone()
		a.OutShape[0] = 1
		for i, s := range c.In {
			s = s.Clone()
			if perImage[i] {
				s[0] = 1
			}
			a.InShape = append(a.InShape, s)
		}
	}
	d.job = d.image
	return d
}

// Workspace implements engine.Kernel.
func (d *definition) Workspace() int { return 0 }

// Run implements engine.Kernel.
func (d *definition) Run(a *engine.Args) {
	d.args = a
	d.b.pool.Parallel(len(d.calls), d.job)
}

func (d *definition) image(n, _ int) {
	a := &d.calls[n]
	a.Out = row(d.args.Out.F32, n, len(d.calls))
	for i, b := range d.args.In {
		a.In[i], a.Whole[i] = b.F32, b.I64
		if d.perRow[i] {
			a.In[i], a.Whole[i] = row(b.F32, n, len(d.calls)), row(b.I64, n, len(d.calls))
		}
	}
	d.spec.Eval32(a)
}

// row returns row n of count.
func row[T any](x []T, n, count int) []T {
	size := len(x) / count
	return x[n*size : (n+1)*size]
}
