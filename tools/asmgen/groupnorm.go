package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// groupNormKernels writes the sums and the gradient of group normalisation for
// one channel: xhat = r*x + s with r = rstd and s = -mean*rstd, z = a*x + b the
// normalised, scaled and shifted value, and h = g, or g*silu'(z).
func groupNormKernels() {
	TEXT("sumDevAVX2", NOSPLIT, "func(x []float32, mean float32) (sum float32)")
	Doc("sumDevAVX2 returns the sum of (x-mean)**2.")
	mean := scalar("mean")
	p := partials(sums)
	forEach([]string{"x"}, sums, func(l *loop, u int) {
		x := l.load("x")
		VSUBPS(mean, x, x)
		if l.mask != nil {
			VANDPS(l.mask, x, x)
		}
		VFMADD231PS(x, x, p[u])
	})
	total(p, "sum")
	finish()

	for _, act := range []string{"", "SiLU"} {
		normSums(act)
		normGrad(act)
	}
}

func normSums(act string) {
	TEXT("normSums"+act+"AVX2", NOSPLIT, "func(g, x []float32, a, b, r, s float32) (h, hx float32)")
	Doc("normSums" + act + "AVX2 returns the sums of h and of h*(r*x+s).")
	a, b, r, s := scalar("a"), scalar("b"), scalar("r"), scalar("s")
	p := partials(4)
	forEach([]string{"g", "x"}, 2, func(l *loop, u int) {
		h, x := l.load("g"), l.load("x")
		if act != "" {
			z := YMM()
			VMOVAPS(x, z)
			VFMADD213PS(b, a, z)
			timesSiLUGrad(h, z)
		}
		VADDPS(h, p[u], p[u])
		VFMADD213PS(s, r, x)
		VFMADD231PS(x, h, p[2+u])
	})
	total(p[:2], "h")
	total(p[2:], "hx")
	finish()
}

func normGrad(act string) {
	TEXT("normGrad"+act+"AVX2", NOSPLIT, "func(dst, g, x []float32, a, b, ch, cx, c float32)")
	Doc("normGrad" + act + "AVX2 sets dst = ch*h + cx*x + c.")
	a, b, ch, cx, c := scalar("a"), scalar("b"), scalar("ch"), scalar("cx"), scalar("c")
	forEach([]string{"dst", "g", "x"}, 2, func(l *loop, _ int) {
		h, x := l.load("g"), l.load("x")
		if act != "" {
			z := YMM()
			VMOVAPS(x, z)
			VFMADD213PS(b, a, z)
			timesSiLUGrad(h, z)
		}
		VFMADD213PS(c, cx, x)
		VFMADD231PS(ch, h, x)
		l.store("dst", x)
	})
	finish()
}
