package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// partials are the independent partial sums of a reduction: lanes of ymm
// registers, of which a zmm register holds two in the turns of a loop.
type partials struct {
	wide []reg.VecVirtual
	sums []reg.Register // once narrowed
}

// newPartials returns that many zeroed partial sums.
func newPartials(s isa, count int) *partials {
	p := &partials{}
	for range count / s.lanes {
		v := s.reg()
		s.zero(v)
		p.wide = append(p.wide, v)
	}
	return p
}

// at returns the sum that vector u of a turn, or what follows the last turn,
// goes to.
func (p *partials) at(u int) reg.Register {
	if p.sums != nil {
		return p.sums[0]
	}
	return p.wide[u%len(p.wide)]
}

// narrow takes the sums apart into ymm registers.
func (p *partials) narrow() {
	for _, v := range p.wide {
		p.sums = append(p.sums, v.AsY())
		if v.Size() == 64 {
			upper := YMM()
			VEXTRACTF64X4(Imm(1), v, upper)
			p.sums = append(p.sums, upper)
		}
	}
}

// total adds the registers and then the lanes, always in the same order, and
// stores the sum in the named result.
func (p *partials) total(result string) {
	for step := len(p.sums) / 2; step > 0; step /= 2 {
		for i := range step {
			VADDPS(p.sums[i+step], p.sums[i], p.sums[i])
		}
	}
	x, y := YMM(), YMM()
	VEXTRACTF128(Imm(1), p.sums[0], x.AsX())
	VADDPS(x.AsX(), p.wide[0].AsX(), x.AsX())
	VMOVHLPS(x.AsX(), x.AsX(), y.AsX())
	VADDPS(y.AsX(), x.AsX(), x.AsX())
	VMOVSHDUP(x.AsX(), y.AsX())
	VADDSS(y.AsX(), x.AsX(), x.AsX())
	Store(x.AsX(), Return(result))
}

// sumTurn is the number of elements in a turn of a reduction.
const sumTurn = 32

func reduceKernels(s isa) {
	function(s, "sum", "(x []float32) (sum float32)", "returns the sum of x.")
	p := newPartials(s, sumTurn)
	forEach(s, []string{"x"}, sumTurn, []*partials{p}, func(l *loop, u int) {
		VADDPS(l.load("x"), p.at(u), p.at(u))
	})
	p.total("sum")
	finish()

	function(s, "dot", "(x, y []float32) (sum float32)", "returns the sum of x*y.")
	p = newPartials(s, sumTurn)
	forEach(s, []string{"x", "y"}, sumTurn, []*partials{p}, func(l *loop, u int) {
		x, y := l.load("x"), l.load("y")
		VFMADD231PS(x, y, p.at(u))
	})
	p.total("sum")
	finish()
}

// sumSquares reads a gradient once a step, at the speed of memory.
func sumSquares(s isa) {
	function(s, "sumSquares", "(x []float32) (sum float64)", "returns the sum of x*x in float64.")
	var p [4]reg.VecVirtual
	for i := range p {
		p[i] = YMM()
		s.zero(p[i])
	}
	forEach(s, []string{"x"}, 16, nil, func(l *loop, u int) {
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
	x, y := YMM(), YMM()
	VEXTRACTF128(Imm(1), p[0], x.AsX())
	VADDPD(x.AsX(), p[0].AsX(), x.AsX())
	VUNPCKHPD(x.AsX(), x.AsX(), y.AsX())
	VADDSD(y.AsX(), x.AsX(), x.AsX())
	Store(x.AsX(), Return("sum"))
	finish()
}
