package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func optimiserKernels() {
	TEXT("adamAVX2", NOSPLIT, "func(p, m, v, ema, g []float32, scale, b1, c1, b2, c2, step, root, eps, beta float32)")
	Doc("adamAVX2 is one step of Adam and of the moving average; see kernels.adam.")
	scale, b1, c1 := scalar("scale"), scalar("b1"), scalar("c1")
	b2, c2 := scalar("b2"), scalar("c2")
	step, root := scalar("step"), scalar("root")
	eps, beta := scalar("eps"), scalar("beta")
	forEach([]string{"p", "m", "v", "ema", "g"}, 1, func(l *loop, _ int) {
		g, m, v := l.load("g"), l.load("m"), l.load("v")
		VMULPS(scale, g, g)
		VMULPS(b1, m, m)
		VFMADD231PS(c1, g, m)
		l.store("m", m)
		VMULPS(g, g, g)
		VMULPS(b2, v, v)
		VFMADD231PS(c2, g, v)
		l.store("v", v)
		VSQRTPS(v, v)
		VFMADD213PS(eps, root, v)
		VMULPS(step, m, m)
		VDIVPS(v, m, m)
		p, ema := l.load("p"), l.load("ema")
		VSUBPS(m, p, p)
		l.store("p", p)
		VSUBPS(p, ema, ema)
		VFMADD213PS(p, beta, ema)
		l.store("ema", ema)
	})
	finish()
}
