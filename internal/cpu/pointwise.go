package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// chunkFloats is the length of a chunk of elementwise work: 64 KiB, so that
// handing it out costs nothing and two or three operands fit the L2 cache.
const chunkFloats = 16 << 10

// mapped is a kernel without scratch memory whose work is a number of
// independent chunks.
type mapped struct {
	b      *Backend
	chunks int
	args   *engine.Args
	job    func(chunk, worker int)
}

// Workspace implements engine.Kernel.
func (m *mapped) Workspace() int { return 0 }

// Run implements engine.Kernel.
func (m *mapped) Run(a *engine.Args) {
	m.args = a
	m.b.pool.Parallel(m.chunks, m.job)
}

// in returns input i.
func (m *mapped) in(i int) []float32 { return m.args.In[i].F32 }

// out returns the output.
func (m *mapped) out() []float32 { return m.args.Out.F32 }

// elementwise returns a kernel that calls f for ranges [from,to) of the output.
func elementwise(b *Backend, c engine.Call, f func(m *mapped, from, to int)) *mapped {
	size := c.Out.TotalSize()
	m := &mapped{b: b, chunks: ceilDiv(size, chunkFloats)}
	m.job = func(chunk, _ int) {
		f(m, chunk*chunkFloats, min((chunk+1)*chunkFloats, size))
	}
	return m
}

// perItem returns a kernel that calls f for each of count items of size
// elements, several to a chunk if they are small.
func perItem(b *Backend, count, size int, f func(m *mapped, item int)) *mapped {
	return perItemWorker(b, count, size, func(m *mapped, i, _ int) { f(m, i) })
}

// perItemWorker is perItem for an f with scratch memory of each worker.
func perItemWorker(b *Backend, count, size int, f func(m *mapped, item, worker int)) *mapped {
	each := max(chunkFloats/max(size, 1), 1)
	m := &mapped{b: b, chunks: ceilDiv(count, each)}
	m.job = func(chunk, worker int) {
		for i := chunk * each; i < min((chunk+1)*each, count); i++ {
			f(m, i, worker)
		}
	}
	return m
}

func newSiLU(b *Backend, c engine.Call) *mapped {
	return elementwise(b, c, func(m *mapped, from, to int) {
		b.k.affineSiLU(m.out()[from:to], m.in(0)[from:to], 1, 0)
	})
}

func newSiLUGrad(b *Backend, c engine.Call) *mapped {
	return elementwise(b, c, func(m *mapped, from, to int) {
		b.k.siluGrad(m.out()[from:to], m.in(0)[from:to], m.in(1)[from:to])
	})
}

func newAdd(b *Backend, c engine.Call) *mapped {
	return elementwise(b, c, func(m *mapped, from, to int) {
		b.k.axpby(m.out()[from:to], m.in(0)[from:to], m.in(1)[from:to], 1, 1, 0)
	})
}

func newScale(b *Backend, s op.Scale, c engine.Call) *mapped {
	return elementwise(b, c, func(m *mapped, from, to int) {
		b.k.affine(m.out()[from:to], m.in(0)[from:to], float32(s.Factor), 0)
	})
}

// perPlane returns a kernel that calls f for the elements [from,to) of each
// feature map of image n.
func perPlane(b *Backend, c engine.Call, f func(m *mapped, n, from, to int)) *mapped {
	size := c.Out[2] * c.Out[3]
	return perItem(b, c.Out[0]*c.Out[1], size, func(m *mapped, i int) {
		f(m, i/c.Out[1], i*size, (i+1)*size)
	})
}

func newSampleScale(b *Backend, c engine.Call) *mapped {
	return perPlane(b, c, func(m *mapped, n, from, to int) {
		b.k.affine(m.out()[from:to], m.in(0)[from:to], m.in(1)[n], 0)
	})
}

func newCombine(b *Backend, c engine.Call) *mapped {
	return perPlane(b, c, func(m *mapped, n, from, to int) {
		b.k.axpby(m.out()[from:to], m.in(0)[from:to], m.in(1)[from:to], m.in(2)[n], m.in(3)[n], 0)
	})
}

// newSquaredErrorGrad subtracts before it scales: d and y may be close.
func newSquaredErrorGrad(b *Backend, c engine.Call) *mapped {
	return perPlane(b, c, func(m *mapped, n, from, to int) {
		dst := m.out()[from:to]
		b.k.axpby(dst, m.in(0)[from:to], m.in(1)[from:to], 1, -1, 0)
		b.k.affine(dst, dst, 2*m.in(2)[n]*m.in(3)[n], 0)
	})
}

// newConcat copies, an item being one image of one of the two inputs.
func newConcat(b *Backend, c engine.Call) *mapped {
	n := c.Out[0]
	sizes := [2]int{c.In[0].TotalSize() / n, c.In[1].TotalSize() / n}
	total := sizes[0] + sizes[1]
	return perItem(b, 2*n, total/2, func(m *mapped, i int) {
		image, which := i/2, i%2
		size := sizes[which]
		copy(m.out()[image*total+which*sizes[0]:][:size], m.in(which)[image*size:])
	})
}

func newNarrow(b *Backend, s op.Narrow, c engine.Call) *mapped {
	pixels := c.Out[2] * c.Out[3]
	size, stride := s.Len*pixels, c.In[0][1]*pixels
	return perItem(b, c.Out[0], size, func(m *mapped, n int) {
		copy(m.out()[n*size:(n+1)*size], m.in(0)[n*stride+s.From*pixels:])
	})
}

func newWiden(b *Backend, s op.Widen, c engine.Call) *mapped {
	pixels := c.Out[2] * c.Out[3]
	size, stride := c.In[0][1]*pixels, s.Channels*pixels
	return perItem(b, c.Out[0], stride, func(m *mapped, n int) {
		image := m.out()[n*stride : (n+1)*stride]
		from := s.From * pixels
		clear(image[:from])
		copy(image[from:], m.in(0)[n*size:(n+1)*size])
		clear(image[from+size:])
	})
}
