package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// Linear layers carry one vector an image: their weights are read once, and
// dot products and vector updates keep up with memory.

// newLinear computes y[n][o] = scale*dot(x[n], w[o]) + b[o], some outputs o of
// all images at a time.
func newLinear(b *Backend, s op.Linear, c engine.Call) *mapped {
	n, in, out := c.In[0][0], c.In[0][1], c.Out[1]
	return perItem(b, out, in*n, func(m *mapped, o int) {
		w := m.in(1)[o*in : (o+1)*in]
		var bias float32
		if s.Bias {
			bias = m.in(2)[o]
		}
		for i := range n {
			m.out()[i*out+o] = b.k.dot(m.in(0)[i*in:(i+1)*in], w)*float32(s.Scale) + bias
		}
	})
}

// newLinearData computes dx[n] = scale * sum over o of g[n][o]*w[o].
func newLinearData(b *Backend, s op.LinearData, c engine.Call) *mapped {
	in, out := c.Out[1], c.In[0][1]
	return perItem(b, c.Out[0], in*out, func(m *mapped, n int) {
		dx := m.out()[n*in : (n+1)*in]
		clear(dx)
		for o, g := range m.in(0)[n*out : (n+1)*out] {
			b.k.axpby(dx, m.in(1)[o*in:(o+1)*in], dx, float32(s.Scale)*g, 1, 0)
		}
	})
}

// newLinearWeights computes dw[o] = scale * sum over n of g[n][o]*x[n].
func newLinearWeights(b *Backend, s op.LinearWeights, c engine.Call) *mapped {
	n, in, out := c.In[0][0], c.Out[1], c.Out[0]
	return perItem(b, out, in*n, func(m *mapped, o int) {
		dw := m.out()[o*in : (o+1)*in]
		clear(dw)
		for i := range n {
			b.k.axpby(dw, m.in(0)[i*in:(i+1)*in], dw, float32(s.Scale)*m.in(1)[i*out+o], 1, 0)
		}
	})
}

func newSumHW(b *Backend, s op.SumHW, c engine.Call) *mapped {
	size := c.In[0][2] * c.In[0][3]
	return perItem(b, c.Out.TotalSize(), size, func(m *mapped, i int) {
		m.out()[i] = float32(s.Scale * b.k.sum64(m.in(0)[i*size:(i+1)*size]))
	})
}
