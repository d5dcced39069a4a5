package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// adamKernel writes the optimiser's pass over the flat buffers: 36 bytes for a
// square root and a division.
func adamKernel(s isa) {
	function(s, "adam", "(p, m, v, ema, g []float32, scale, b1, c1, b2, c2, step, root, eps, beta float32)",
		"is one step of Adam and of the moving average; see kernels.adam.")
	scale, b1, c1 := scalar(s, "scale"), scalar(s, "b1"), scalar(s, "c1")
	b2, c2 := scalar(s, "b2"), scalar(s, "c2")
	step, root := scalar(s, "step"), scalar(s, "root")
	eps, beta := scalar(s, "eps"), scalar(s, "beta")
	forEach(s, []string{"p", "m", "v", "ema", "g"}, s.lanes, nil, func(l *loop, _ int) {
		g, m, v := l.load("g"), l.load("m"), l.load("v")
		VMULPS(fit(scale, g), g, g)
		VMULPS(fit(b1, m), m, m)
		VFMADD231PS(fit(c1, g), g, m)
		l.store("m", m)
		VMULPS(g, g, g)
		VMULPS(fit(b2, v), v, v)
		VFMADD231PS(fit(c2, g), g, v)
		l.store("v", v)
		VSQRTPS(v, v)
		VFMADD213PS(fit(eps, v), fit(root, v), v)
		VMULPS(fit(step, m), m, m)
		VDIVPS(v, m, m)
		p, ema := l.load("p"), l.load("ema")
		VSUBPS(m, p, p)
		l.store("p", p)
		VSUBPS(p, ema, ema)
		VFMADD213PS(p, fit(beta, p), ema)
		l.store("ema", ema)
	})
	finish()
}
