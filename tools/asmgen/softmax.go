package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Softmax wants reductions down the columns of a matrix of rows of stride floats:
// eight columns at a time.

func colMax(s isa) {
	function(s, "colMax", "(dst, x []float32, rows, stride int)", "sets dst[j] to the greatest x[i*stride+j] for 8 columns j; rows >= 1.")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	rows := Load(Param("rows"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(Imm(2), stride)
	m := YMM()
	VMOVUPS(Mem{Base: x}, m)
	Label("loop")
	VMAXPS(Mem{Base: x}, m, m)
	ADDQ(stride, x)
	DECQ(rows)
	JNE(LabelRef("loop"))
	VMOVUPS(m, Mem{Base: dst})
	finish()
}

// colExpSum adds a row at a time; the exponentials of two rows share a zmm
// register.
func colExpSum(s isa) {
	function(s, "colExpSum", "(dst, x, shift []float32, rows, stride int, a float32)",
		"sets dst[j] to the sum over rows of e**(a*(x[i*stride+j]-shift[j])) for 8 columns j; rows >= 1.")
	a := scalar(s, "a")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	shift := Load(Param("shift").Base(), GP64())
	rows := Load(Param("rows"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(Imm(2), stride)
	by, sum := s.reg(), YMM()
	avx2.zero(sum)
	VMOVUPS(Mem{Base: shift}, by.AsY())
	term := func(v reg.VecVirtual) reg.VecVirtual {
		VSUBPS(fit(by, v), v, v)
		VMULPS(fit(a, v), v, v)
		return exp(v)
	}
	if s.lanes == 16 {
		VINSERTF64X4(Imm(1), by.AsY(), by, by)
		SUBQ(Imm(2), rows)
		JL(LabelRef("last"))
		Label("pairs")
		v := ZMM()
		VMOVUPS(Mem{Base: x}, v.AsY())
		VINSERTF64X4(Imm(1), Mem{Base: x, Index: stride, Scale: 1}, v, v)
		e, second := term(v), YMM()
		VEXTRACTF64X4(Imm(1), e, second)
		VADDPS(e.AsY(), sum, sum)
		VADDPS(second, sum, sum)
		LEAQ(Mem{Base: x, Index: stride, Scale: 2}, x)
		SUBQ(Imm(2), rows)
		JGE(LabelRef("pairs"))
		Label("last")
		ADDQ(Imm(2), rows)
		JE(LabelRef("end"))
	}
	Label("single")
	v := YMM()
	VMOVUPS(Mem{Base: x}, v)
	VADDPS(term(v), sum, sum)
	ADDQ(stride, x)
	DECQ(rows)
	JNE(LabelRef("single"))
	Label("end")
	VMOVUPS(sum, Mem{Base: dst})
	finish()
}
