package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums is the number of independent partial vectors of a reduction.
const sums = 4

// partials returns zeroed vectors.
func partials(n int) []reg.VecVirtual {
	p := make([]reg.VecVirtual, n)
	for i := range p {
		p[i] = YMM()
		VXORPS(p[i], p[i], p[i])
	}
	return p
}

// total adds the vectors and then the lanes, always in the same order, and
// stores the sum in the named result.
func total(p []reg.VecVirtual, result string) {
	for step := len(p) / 2; step > 0; step /= 2 {
		for i := range step {
			VADDPS(p[i+step], p[i], p[i])
		}
	}
	x := YMM()
	VEXTRACTF128(Imm(1), p[0], x.AsX())
	VADDPS(x.AsX(), p[0].AsX(), x.AsX())
	y := YMM()
	VMOVHLPS(x.AsX(), x.AsX(), y.AsX())
	VADDPS(y.AsX(), x.AsX(), x.AsX())
	VMOVSHDUP(x.AsX(), y.AsX())
	VADDSS(y.AsX(), x.AsX(), x.AsX())
	Store(x.AsX(), Return(result))
}

func reduceKernels() {
	TEXT("sumAVX2", NOSPLIT, "func(x []float32) (sum float32)")
	Doc("sumAVX2 returns the sum of x.")
	p := partials(sums)
	forEach([]string{"x"}, sums, func(l *loop, u int) {
		VADDPS(l.load("x"), p[u], p[u])
	})
	total(p, "sum")
	finish()

	TEXT("dotAVX2", NOSPLIT, "func(x, y []float32) (sum float32)")
	Doc("dotAVX2 returns the sum of x*y.")
	p = partials(sums)
	forEach([]string{"x", "y"}, sums, func(l *loop, u int) {
		x, y := l.load("x"), l.load("y")
		VFMADD231PS(x, y, p[u])
	})
	total(p, "sum")
	finish()

	sumSquares()
}

func sumSquares() {
	TEXT("sumSquaresAVX2", NOSPLIT, "func(x []float32) (sum float64)")
	Doc("sumSquaresAVX2 returns the sum of x*x in float64.")
	p := partials(sums)
	forEach([]string{"x"}, 2, func(l *loop, u int) {
		x, half, lo, hi := l.load("x"), YMM(), YMM(), YMM()
		VEXTRACTF128(Imm(1), x, half.AsX())
		VCVTPS2PD(x.AsX(), lo)
		VCVTPS2PD(half.AsX(), hi)
		VFMADD231PD(lo, lo, p[2*u])
		VFMADD231PD(hi, hi, p[2*u+1])
	})
	VADDPD(p[2], p[0], p[0])
	VADDPD(p[3], p[1], p[1])
	VADDPD(p[1], p[0], p[0])
	x := YMM()
	VEXTRACTF128(Imm(1), p[0], x.AsX())
	VADDPD(x.AsX(), p[0].AsX(), x.AsX())
	y := YMM()
	VUNPCKHPD(x.AsX(), x.AsX(), y.AsX())
	VADDSD(y.AsX(), x.AsX(), x.AsX())
	Store(x.AsX(), Return("sum"))
	finish()
}
