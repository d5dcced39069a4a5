package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// softmaxKernels writes reductions down the columns of a matrix of rows of
// stride floats, eight columns at a time.
func softmaxKernels() {
	TEXT("colMaxAVX2", NOSPLIT, "func(dst, x []float32, rows, stride int)")
	Doc("colMaxAVX2 sets dst[j] to the greatest x[i*stride+j] for 8 columns j; rows >= 1.")
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

	TEXT("colExpSumAVX2", NOSPLIT, "func(dst, x, shift []float32, rows, stride int, a float32)")
	Doc("colExpSumAVX2 sets dst[j] to the sum over rows of e**(a*(x[i*stride+j]-shift[j])) for 8 columns j.")
	a := scalar("a")
	dst = Load(Param("dst").Base(), GP64())
	x = Load(Param("x").Base(), GP64())
	shift := Load(Param("shift").Base(), GP64())
	rows = Load(Param("rows"), GP64())
	stride = Load(Param("stride"), GP64())
	SHLQ(Imm(2), stride)
	by := YMM()
	VMOVUPS(Mem{Base: shift}, by)
	sum := partials(1)[0]
	Label("loop")
	v := YMM()
	VMOVUPS(Mem{Base: x}, v)
	VSUBPS(by, v, v)
	VMULPS(a, v, v)
	VADDPS(exp(v), sum, sum)
	ADDQ(stride, x)
	DECQ(rows)
	JNE(LabelRef("loop"))
	VMOVUPS(sum, Mem{Base: dst})
	finish()
}
