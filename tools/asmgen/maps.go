package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// mapKernels writes the elementwise kernels. dst may be any of the inputs.
func mapKernels() {
	TEXT("axpbyAVX2", NOSPLIT, "func(dst, x, y []float32, a, b, c float32)")
	Doc("axpbyAVX2 sets dst = a*x + b*y + c.")
	a, b, c := scalar("a"), scalar("b"), scalar("c")
	forEach([]string{"dst", "x", "y"}, 2, func(l *loop, _ int) {
		x, y := l.load("x"), l.load("y")
		VFMADD213PS(c, b, y)
		VFMADD231PS(a, x, y)
		l.store("dst", y)
	})
	finish()

	TEXT("affineAVX2", NOSPLIT, "func(dst, x []float32, a, b float32)")
	Doc("affineAVX2 sets dst = a*x + b.")
	a, b = scalar("a"), scalar("b")
	forEach([]string{"dst", "x"}, 2, func(l *loop, _ int) {
		x := l.load("x")
		VFMADD213PS(b, a, x)
		l.store("dst", x)
	})
	finish()

	TEXT("affineSiLUAVX2", NOSPLIT, "func(dst, x []float32, a, b float32)")
	Doc("affineSiLUAVX2 sets dst = silu(a*x + b).")
	a, b = scalar("a"), scalar("b")
	forEach([]string{"dst", "x"}, 2, func(l *loop, _ int) {
		x := l.load("x")
		VFMADD213PS(b, a, x)
		silu(x)
		l.store("dst", x)
	})
	finish()

	TEXT("siluGradAVX2", NOSPLIT, "func(dst, x, g []float32)")
	Doc("siluGradAVX2 sets dst = g*silu'(x).")
	forEach([]string{"dst", "x", "g"}, 2, func(l *loop, _ int) {
		x, g := l.load("x"), l.load("g")
		timesSiLUGrad(g, x)
		l.store("dst", g)
	})
	finish()

	TEXT("expAffineAVX2", NOSPLIT, "func(dst, x []float32, a, b float32)")
	Doc("expAffineAVX2 sets dst = e**(a*x + b).")
	a, b = scalar("a"), scalar("b")
	forEach([]string{"dst", "x"}, 2, func(l *loop, _ int) {
		x := l.load("x")
		VFMADD213PS(b, a, x)
		l.store("dst", exp(x))
	})
	finish()

	TEXT("mulAVX2", NOSPLIT, "func(dst, x, y []float32, a float32)")
	Doc("mulAVX2 sets dst = a*x*y.")
	a = scalar("a")
	forEach([]string{"dst", "x", "y"}, 2, func(l *loop, _ int) {
		x := l.load("x")
		VMULPS(a, x, x)
		VMULPS(l.load("y"), x, x)
		l.store("dst", x)
	})
	finish()

	TEXT("mulAddAVX2", NOSPLIT, "func(dst, x, y []float32)")
	Doc("mulAddAVX2 adds x*y to dst.")
	forEach([]string{"dst", "x", "y"}, 2, func(l *loop, _ int) {
		x, y, d := l.load("x"), l.load("y"), l.load("dst")
		VFMADD231PS(x, y, d)
		l.store("dst", d)
	})
	finish()

	doubled()
}

// doubled writes the two-fold horizontal repeat and the two-row pair sum, the
// inner loops of nearest up-sampling and 2x2 mean down-sampling.
func doubled() {
	TEXT("repeatAVX2", NOSPLIT, "func(dst, x []float32, a float32)")
	Doc("repeatAVX2 sets dst[2i] = dst[2i+1] = a*x[i] for len(x) a multiple of 8.")
	a := scalar("a")
	dst := Load(Param("dst").Base(), GP64())
	src := Load(Param("x").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	Label("loop")
	SUBQ(Imm(8), n)
	JL(LabelRef("end"))
	x, lo, hi, out := YMM(), YMM(), YMM(), YMM()
	VMULPS(Mem{Base: src}, a, x)
	VUNPCKLPS(x, x, lo)
	VUNPCKHPS(x, x, hi)
	VPERM2F128(Imm(0x20), hi, lo, out)
	VMOVUPS(out, Mem{Base: dst})
	VPERM2F128(Imm(0x31), hi, lo, out)
	VMOVUPS(out, Mem{Base: dst, Disp: 32})
	ADDQ(Imm(32), src)
	ADDQ(Imm(64), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()

	TEXT("pairSumAVX2", NOSPLIT, "func(dst, x, y []float32, a float32)")
	Doc("pairSumAVX2 sets dst[i] = a*((x[2i]+x[2i+1]) + (y[2i]+y[2i+1])) for len(dst) a multiple of 8.")
	a = scalar("a")
	dst = Load(Param("dst").Base(), GP64())
	src = Load(Param("x").Base(), GP64())
	other := Load(Param("y").Base(), GP64())
	n = Load(Param("dst").Len(), GP64())
	Label("loop")
	SUBQ(Imm(8), n)
	JL(LabelRef("end"))
	x, y, sum := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: src}, x)
	VHADDPS(Mem{Base: src, Disp: 32}, x, sum)
	VMOVUPS(Mem{Base: other}, x)
	VHADDPS(Mem{Base: other, Disp: 32}, x, y)
	VADDPS(y, sum, sum)
	VMULPS(a, sum, sum)
	VPERMPD(Imm(0xd8), sum, sum)
	VMOVUPS(sum, Mem{Base: dst})
	ADDQ(Imm(64), src)
	ADDQ(Imm(64), other)
	ADDQ(Imm(32), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}
