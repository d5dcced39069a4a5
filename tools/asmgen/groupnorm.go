package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// groupNormKernels writes the sums of group normalisation and of its gradient.
func groupNormKernels(s isa) {
	function(s, "sumDev", "(x []float32, mean float32) (sum float32)", "returns the sum of (x-mean)**2.")
	mean, p := scalar(s, "mean"), newPartials(s, sumTurn)
	forEach(s, []string{"x"}, sumTurn, []*partials{p}, func(l *loop, u int) {
		x := l.load("x")
		VSUBPS(fit(mean, x), x, x)
		if l.mask != nil {
			VANDPS(l.mask, x, x)
		}
		VFMADD231PS(x, x, p.at(u))
	})
	p.total("sum")
	finish()

	normSums(s)
	normSumsSiLU(s)
}

// normSum is the number of partial sums in the loops with two sums.
const normSum = 16

func normSums(s isa) {
	function(s, "normSums", "(g, x []float32, r, s float32) (h, hx float32)", "returns the sums of g and of g*(r*x+s).")
	rstd, shift := scalar(s, "r"), scalar(s, "s")
	sum, dot := newPartials(s, normSum), newPartials(s, normSum)
	forEach(s, []string{"g", "x"}, sumTurn, []*partials{sum, dot}, func(l *loop, u int) {
		h, x := l.load("g"), l.load("x")
		addNormSums(h, x, rstd, shift, sum.at(u), dot.at(u))
	})
	sum.total("h")
	dot.total("hx")
	finish()
}

func normSumsSiLU(s isa) {
	function(s, "normSumsSiLU", "(dst, g, x []float32, a, b, r, s float32) (h, hx float32)",
		"sets dst = h = g*silu'(a*x+b) and returns the sums of h and of h*(r*x+s).")
	a, b, rstd, shift := scalar(s, "a"), scalar(s, "b"), scalar(s, "r"), scalar(s, "s")
	sum, dot := newPartials(s, normSum), newPartials(s, normSum)
	forEach(s, []string{"dst", "g", "x"}, sumTurn, []*partials{sum, dot}, func(l *loop, u int) {
		h, x := l.load("g"), l.load("x")
		z := like(x)
		VMOVAPS(x, z)
		VFMADD213PS(fit(b, z), fit(a, z), z)
		timesSiLUGrad(h, z)
		l.store("dst", h)
		addNormSums(h, x, rstd, shift, sum.at(u), dot.at(u))
	})
	sum.total("h")
	dot.total("hx")
	finish()
}

// addNormSums adds h and h*(rstd*x+shift) to the sums; x is overwritten.
func addNormSums(h, x, rstd, shift reg.VecVirtual, sum, dot reg.Register) {
	VADDPS(h, sum, sum)
	VFMADD213PS(fit(shift, x), fit(rstd, x), x)
	VFMADD231PS(x, h, dot)
}
