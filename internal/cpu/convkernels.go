package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// convKernel is op.Conv2D.
type convKernel struct {
	*conv
	spec              op.Conv2D
	bias, sample, res int
	args              *engine.Args
}

func newConvKernel(b *Backend, s op.Conv2D, c engine.Call) *convKernel {
	x, w := c.In[0], c.In[1]
	k := &convKernel{spec: s}
	k.conv = newConv(b, convShape{n: x[0], depth: x[1], width: w[0], h: x[2], w: x[3], kernel: s.Kernel}, false)
	k.bias, k.sample, k.res = s.Terms()
	if k.bias >= 0 || k.sample >= 0 || k.res >= 0 || s.Scale != 1 {
		k.conv.finish = k.finish
	}
	return k
}

// Workspace implements engine.Kernel.
func (k *convKernel) Workspace() int { return k.workspace() }

// Run implements engine.Kernel.
func (k *convKernel) Run(a *engine.Args) {
	k.args = a
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}

// finish adds the biases and the residual and scales, while the block is in the
// cache.
func (k *convKernel) finish(n, from, to, y0, y1 int) {
	f := float32(k.spec.Scale)
	for c := from; c < to; c++ {
		var add float32
		if k.bias >= 0 {
			add = k.args.In[k.bias].F32[c]
		}
		if k.sample >= 0 {
			add += k.args.In[k.sample].F32[n*k.width+c]
		}
		at := (n*k.width + c) * k.pixels()
		y := k.out[at+y0*k.w : at+y1*k.w]
		if k.res >= 0 {
			k.k.axpby(y, y, k.args.In[k.res].F32[at+y0*k.w:at+y1*k.w], f, f, f*add)
		} else {
			k.k.affine(y, y, f, f*add)
		}
	}
}

// convDataKernel is op.Conv2DData.
type convDataKernel struct {
	*conv
	scale float32
}

func newConvDataKernel(b *Backend, s op.Conv2DData, c engine.Call) *convDataKernel {
	g, w := c.In[0], c.In[1]
	k := &convDataKernel{scale: float32(s.Scale)}
	k.conv = newConv(b, convShape{n: g[0], depth: g[1], width: w[1], h: g[2], w: g[3], kernel: s.Kernel}, true)
	if s.Scale != 1 {
		k.conv.finish = k.finish
	}
	return k
}

// Workspace implements engine.Kernel.
func (k *convDataKernel) Workspace() int { return k.workspace() }

// Run implements engine.Kernel.
func (k *convDataKernel) Run(a *engine.Args) {
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}

func (k *convDataKernel) finish(n, from, to, y0, y1 int) {
	for c := from; c < to; c++ {
		at := (n*k.width + c) * k.pixels()
		y := k.out[at+y0*k.w : at+y1*k.w]
		k.k.affine(y, y, k.scale, 0)
	}
}

// convWeightsKernel is op.Conv2DWeights.
type convWeightsKernel struct{ *convWeights }

func newConvWeightsKernel(b *Backend, s op.Conv2DWeights, c engine.Call) convWeightsKernel {
	x, g := c.In[0], c.In[1]
	return convWeightsKernel{newConvWeights(b, x[0], x[1], g[1], x[2], x[3], s.Kernel, float32(s.Scale))}
}

// Workspace implements engine.Kernel.
func (k convWeightsKernel) Workspace() int { return k.workspace() }

// Run implements engine.Kernel.
func (k convWeightsKernel) Run(a *engine.Args) {
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}
