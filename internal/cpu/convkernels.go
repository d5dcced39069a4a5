package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// convolver computes a convolution, or its gradient by data. If version is not
// zero, weights of that version do not change.
type convolver interface {
	workspace() int
	run(out, in, weights, work []float32, version uint64)
}

// finisher completes rows [y0,y1) of channels [from,to) of image n.
type finisher func(n, from, to, y0, y1 int)

// newConvolver chooses the algorithm for a shape.
func newConvolver(b *Backend, s convShape, reverse bool, finish finisher) convolver {
	if useWinograd(s, reverse) {
		return newWinogradConv(b, s, reverse, finish)
	}
	return newConv(b, s, reverse, finish)
}

// convKernel is op.Conv2D.
type convKernel struct {
	convolver
	convShape
	k                 *kernels
	spec              op.Conv2D
	bias, sample, res int
	args              *engine.Args
}

func newConvKernel(b *Backend, s op.Conv2D, c engine.Call) engine.Kernel {
	if s.Kernel == 1 {
		return newConv1x1Kernel(b, s, c)
	}
	x, w := c.In[0], c.In[1]
	k := &convKernel{spec: s, k: b.k}
	k.convShape = convShape{n: x[0], depth: x[1], width: w[0], h: x[2], w: x[3], kernel: s.Kernel}
	k.bias, k.sample, k.res = s.Terms()
	var finish finisher
	if k.bias >= 0 || k.sample >= 0 || k.res >= 0 || s.Scale != 1 {
		finish = k.finish
	}
	k.convolver = newConvolver(b, k.convShape, false, finish)
	return k
}

// Workspace implements engine.Kernel.
func (k *convKernel) Workspace() int { return k.workspace() }

// Run implements engine.Kernel.
func (k *convKernel) Run(a *engine.Args) {
	k.args = a
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32, a.Version[1])
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
		y := k.args.Out.F32[at+y0*k.w : at+y1*k.w]
		if k.res >= 0 {
			k.k.axpby(y, y, k.args.In[k.res].F32[at+y0*k.w:at+y1*k.w], f, f, f*add)
		} else {
			k.k.affine(y, y, f, f*add)
		}
	}
}

// convDataKernel is op.Conv2DData.
type convDataKernel struct {
	convolver
	convShape
	k     *kernels
	scale float32
	out   []float32
}

func newConvDataKernel(b *Backend, s op.Conv2DData, c engine.Call) engine.Kernel {
	if s.Kernel == 1 {
		return newConv1x1DataKernel(b, s, c)
	}
	g, w := c.In[0], c.In[1]
	k := &convDataKernel{k: b.k, scale: float32(s.Scale)}
	k.convShape = convShape{n: g[0], depth: g[1], width: w[1], h: g[2], w: g[3], kernel: s.Kernel}
	var finish finisher
	if s.Scale != 1 {
		finish = k.finish
	}
	k.convolver = newConvolver(b, k.convShape, true, finish)
	return k
}

// Workspace implements engine.Kernel.
func (k *convDataKernel) Workspace() int { return k.workspace() }

// Run implements engine.Kernel.
func (k *convDataKernel) Run(a *engine.Args) {
	k.out = a.Out.F32
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32, a.Version[1])
}

func (k *convDataKernel) finish(n, from, to, y0, y1 int) {
	for c := from; c < to; c++ {
		at := (n*k.width + c) * k.pixels()
		y := k.out[at+y0*k.w : at+y1*k.w]
		k.k.affine(y, y, k.scale, 0)
	}
}

// weightsConvolver computes the gradient of a convolution by its weights.
type weightsConvolver interface {
	workspace() int
	run(dw, x, g, work []float32)
}

// convWeightsKernel is op.Conv2DWeights.
type convWeightsKernel struct{ weightsConvolver }

func newConvWeightsKernel(b *Backend, s op.Conv2DWeights, c engine.Call) engine.Kernel {
	if s.Kernel == 1 {
		return newConv1x1WeightsKernel(b, s, c)
	}
	x, g := c.In[0], c.In[1]
	if useWinogradWeights(convShape{n: x[0], depth: x[1], width: g[1], h: x[2], w: x[3], kernel: s.Kernel}) {
		return convWeightsKernel{chooseWinogradWeights(b, x[0], x[1], g[1], x[2], x[3], float32(s.Scale))}
	}
	return convWeightsKernel{newConvWeights(b, x[0], x[1], g[1], x[2], x[3], s.Kernel, float32(s.Scale))}
}

// Workspace implements engine.Kernel.
func (k convWeightsKernel) Workspace() int { return k.workspace() }

// Run implements engine.Kernel.
func (k convWeightsKernel) Run(a *engine.Args) {
	k.run(a.Out.F32, a.In[0].F32, a.In[1].F32, a.Work.F32)
}
