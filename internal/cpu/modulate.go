package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// newModulate computes v*(1+scale) (+ shift), one image at a time.
func newModulate(b *Backend, s op.Modulate, c engine.Call) *mapped {
	width := c.Out[1]
	return perItem(b, c.Out[0], width, func(m *mapped, n int) {
		v, y := m.in(0), m.out()[n*width:(n+1)*width]
		scales, shifts := halves(m.in(1), n, width)
		copy(y, v)
		if s.Shift {
			b.k.axpby(y, v, shifts, 1, 1, 0)
		}
		b.k.mulAdd(y, v, scales)
	})
}

// halves returns the two halves of row n of x [N,2*width].
func halves(x []float32, n, width int) (first, second []float32) {
	x = x[2*n*width : 2*(n+1)*width]
	return x[:width], x[width:]
}

// newModulateParam sums g*(1+scale) over the batch, some channels at a time.
func newModulateParam(b *Backend, c engine.Call) *mapped {
	batch, width := c.In[0][0], c.In[0][1]
	const channels = 128
	return perItem(b, ceilDiv(width, channels), batch*channels, func(m *mapped, i int) {
		from, to := i*channels, min((i+1)*channels, width)
		dv := m.out()[from:to]
		clear(dv)
		for n := range batch {
			g := m.in(0)[n*width+from : n*width+to]
			scales, _ := halves(m.in(1), n, width)
			b.k.axpby(dv, dv, g, 1, 1, 0)
			b.k.mulAdd(dv, g, scales[from:to])
		}
	})
}

// newModulateData writes g*v for the scales and g, or zero, for the shifts.
func newModulateData(b *Backend, s op.ModulateData, c engine.Call) *mapped {
	width := c.In[0][1]
	return perItem(b, c.Out[0], 2*width, func(m *mapped, n int) {
		g := m.in(0)[n*width : (n+1)*width]
		scales, shifts := halves(m.out(), n, width)
		b.k.mul(scales, g, m.in(1), 1)
		if s.Shift {
			copy(shifts, g)
		} else {
			clear(shifts)
		}
	})
}
