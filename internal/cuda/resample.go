//go:build gpu

package cuda

import (
	"fmt"

	"edm/internal/engine"
	"edm/internal/op"
)

// pixelsLaunch launches a kernel of resample.cu with a thread for each pixel of
// maps feature maps of h x w.
func pixelsLaunch(name string, x, y pointer, maps, h, w int, extra ...any) launch {
	count := maps * h * w
	byW, byH := newDivisor(w), newDivisor(h)
	args := []any{x, y, int32(count), int32(h), int32(w), byW.factor, byW.shift, byH.factor, byH.shift}
	return launch{
		module: "resample", name: name,
		grid: [3]int{parts(count, mapThreads), 1, 1}, block: [3]int{mapThreads, 1, 1},
		args: append(args, extra...),
	}
}

// newFiltered halves or doubles images, by name down or up; h and w are those of
// the smaller image.
func newFiltered(name string, s op.Spec, f op.Filter, gain float64, maps, h, w int) (kernel, error) {
	var sum float64
	for _, v := range f.Taps[:f.N] {
		sum += v
	}
	taps := []any{float32(gain)}
	for _, v := range f.Taps {
		taps = append(taps, float32(v/sum))
	}
	name = fmt.Sprint(name, f.N)
	return recipe(func(o operands) []launch {
		return []launch{pixelsLaunch(name, o.in[0], o.out, maps, h, w, taps...)}
	}), indexable(s, maps*h*w, "pixels")
}

func newDown(_ precision, s op.Down, c engine.Call) (kernel, error) {
	return newFiltered("down", s, s.Filter, s.Gain, c.Out[0]*c.Out[1], c.Out[2], c.Out[3])
}

func newUp(_ precision, s op.Up, c engine.Call) (kernel, error) {
	x := c.In[0]
	return newFiltered("up", s, s.Filter, s.Gain, x[0]*x[1], x[2], x[3])
}

// newWindow writes images whose pixel (i,j) is pixel (i+move, j+move) of the
// input, zero outside it.
func newWindow(s op.Spec, c engine.Call, move int) (kernel, error) {
	x, y := c.In[0], c.Out
	maps := y[0] * y[1]
	return recipe(func(o operands) []launch {
		return []launch{pixelsLaunch("window", o.in[0], o.out, maps, y[2], y[3], int32(x[2]), int32(x[3]), int32(move))}
	}), indexable(s, y.TotalSize(), "pixels")
}

func newPad(_ precision, s op.Pad, c engine.Call) (kernel, error) { return newWindow(s, c, -s.Width) }

func newCrop(_ precision, s op.Crop, c engine.Call) (kernel, error) { return newWindow(s, c, s.Width) }
