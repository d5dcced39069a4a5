package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// box reports whether f is {1,1}: the nearest neighbour and the 2x2 mean.
func box(f op.Filter) bool { return f.N == 2 && f.Taps[0] == f.Taps[1] }

// newUp doubles images with the box filter.
func newUp(b *Backend, s op.Up, c engine.Call) *mapped {
	h, w := c.In[0][2], c.In[0][3]
	factor := float32(s.Gain / 4)
	return perItem(b, c.In[0][0]*c.In[0][1], 4*h*w, func(m *mapped, i int) {
		src, dst := m.in(0)[i*h*w:(i+1)*h*w], m.out()[4*i*h*w:4*(i+1)*h*w]
		for y := range h {
			row, from := dst[4*y*w:4*y*w+2*w], src[y*w:(y+1)*w]
			whole := w &^ 7
			b.k.repeat(row[:2*whole], from[:whole], factor)
			repeatGo(row[2*whole:], from[whole:], factor)
			copy(dst[4*y*w+2*w:], row)
		}
	})
}

// newDown halves images with the box filter.
func newDown(b *Backend, s op.Down, c engine.Call) *mapped {
	h, w := c.Out[2], c.Out[3]
	factor := float32(s.Gain / 4)
	return perItem(b, c.Out[0]*c.Out[1], 4*h*w, func(m *mapped, i int) {
		src, dst := m.in(0)[4*i*h*w:4*(i+1)*h*w], m.out()[i*h*w:(i+1)*h*w]
		for y := range h {
			row := dst[y*w : (y+1)*w]
			top, bottom := src[4*y*w:4*y*w+2*w], src[4*y*w+2*w:4*(y+1)*w]
			whole := w &^ 7
			b.k.pairSum(row[:whole], top[:2*whole], bottom[:2*whole], factor)
			pairSumGo(row[whole:], top[2*whole:], bottom[2*whole:], factor)
		}
	})
}

// newPad surrounds feature maps with zeros.
func newPad(b *Backend, s op.Pad, c engine.Call) *mapped {
	h, w := c.In[0][2], c.In[0][3]
	size, wide := c.Out[2]*c.Out[3], c.Out[3]
	return perItem(b, c.Out[0]*c.Out[1], size, func(m *mapped, i int) {
		src, dst := m.in(0)[i*h*w:(i+1)*h*w], m.out()[i*size:(i+1)*size]
		clear(dst)
		for y := range h {
			copy(dst[(y+s.Width)*wide+s.Width:], src[y*w:(y+1)*w])
		}
	})
}

// newCrop copies the inside of feature maps.
func newCrop(b *Backend, s op.Crop, c engine.Call) *mapped {
	h, w := c.Out[2], c.Out[3]
	size, wide := c.In[0][2]*c.In[0][3], c.In[0][3]
	return perItem(b, c.Out[0]*c.Out[1], size, func(m *mapped, i int) {
		src, dst := m.in(0)[i*size:(i+1)*size], m.out()[i*h*w:(i+1)*h*w]
		for y := range h {
			copy(dst[y*w:(y+1)*w], src[(y+s.Width)*wide+s.Width:])
		}
	})
}
