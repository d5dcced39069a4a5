package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// resampleKernels writes the inner loops of doubling and halving images. Rows
// are short and their cost is that of memory, so ymm registers do.
func resampleKernels() {
	repeat(avx2)
	pairSum(avx2)
	weightedRows(avx2)
	upsample(avx2)
	downsample(avx2)
}

// repeat is doubling without a filter.
func repeat(s isa) {
	function(s, "repeat", "(dst, x []float32, a float32)", "sets dst[2i] = dst[2i+1] = a*x[i] for len(x) a multiple of 8.")
	a := scalar(s, "a")
	dst := Load(Param("dst").Base(), GP64())
	src := Load(Param("x").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	Label("loop")
	SUBQ(Imm(8), n)
	JL(LabelRef("end"))
	x := YMM()
	VMULPS(Mem{Base: src}, a, x)
	storeAlternating(x, x, dst)
	ADDQ(Imm(32), src)
	ADDQ(Imm(64), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}

// storeAlternating stores the elements of even and odd by turns.
func storeAlternating(even, odd reg.VecVirtual, dst reg.Register) {
	lo, hi, out := YMM(), YMM(), YMM()
	VUNPCKLPS(odd, even, lo)
	VUNPCKHPS(odd, even, hi)
	VPERM2F128(Imm(0x20), hi, lo, out)
	VMOVUPS(out, Mem{Base: dst})
	VPERM2F128(Imm(0x31), hi, lo, out)
	VMOVUPS(out, Mem{Base: dst, Disp: 32})
}

// pairSum is halving by means of 2x2 pixels.
func pairSum(s isa) {
	function(s, "pairSum", "(dst, x, y []float32, a float32)", "sets dst[i] = a*((x[2i]+x[2i+1]) + (y[2i]+y[2i+1])) for len(dst) a multiple of 8.")
	a := scalar(s, "a")
	dst := Load(Param("dst").Base(), GP64())
	src := Load(Param("x").Base(), GP64())
	other := Load(Param("y").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
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

// weightedRows is a filter across the rows of an image.
func weightedRows(s isa) {
	function(s, "weightedRows", "(dst, x, taps []float32, stride int)",
		"sets dst[i] to the sum over j of taps[j]*x[j*stride+i] for len(dst) a multiple of 8.")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	taps := Load(Param("taps").Base(), GP64())
	count := Load(Param("taps").Len(), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(Imm(2), stride)
	Label("loop")
	SUBQ(Imm(8), n)
	JL(LabelRef("end"))
	sum, row, j := YMM(), GP64(), GP64()
	s.zero(sum)
	MOVQ(x, row)
	XORQ(j, j)
	Label("tap")
	t := YMM()
	VBROADCASTSS(Mem{Base: taps, Index: j, Scale: 4}, t)
	VFMADD231PS(Mem{Base: row}, t, sum)
	ADDQ(stride, row)
	INCQ(j)
	CMPQ(j, count)
	JL(LabelRef("tap"))
	VMOVUPS(sum, Mem{Base: dst})
	ADDQ(Imm(32), x)
	ADDQ(Imm(32), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}

// upsample is a filter within a row whose outputs are two for each position.
func upsample(s isa) {
	function(s, "upsample", "(dst, x, even, odd []float32)",
		"sets dst[2i] and dst[2i+1] to the sums over j of even[j]*x[i+j] and odd[j]*x[i+j] for len(dst) a multiple of 16.")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	evens := Load(Param("even").Base(), GP64())
	odds := Load(Param("odd").Base(), GP64())
	count := Load(Param("even").Len(), GP64())
	Label("loop")
	SUBQ(Imm(16), n)
	JL(LabelRef("end"))
	even, odd, j := YMM(), YMM(), GP64()
	s.zero(even)
	s.zero(odd)
	XORQ(j, j)
	Label("tap")
	v, a, b := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: x, Index: j, Scale: 4}, v)
	VBROADCASTSS(Mem{Base: evens, Index: j, Scale: 4}, a)
	VBROADCASTSS(Mem{Base: odds, Index: j, Scale: 4}, b)
	VFMADD231PS(v, a, even)
	VFMADD231PS(v, b, odd)
	INCQ(j)
	CMPQ(j, count)
	JL(LabelRef("tap"))
	storeAlternating(even, odd, dst)
	ADDQ(Imm(32), x)
	ADDQ(Imm(64), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}

// downsample is a filter within a row of which every second output is kept.
// Taps and elements are multiplied in pairs, which are added at the end.
func downsample(s isa) {
	function(s, "downsample", "(dst, x, taps []float32)",
		"sets dst[i] to the sum over j of taps[j]*x[2i+j] for len(taps) even and len(dst) a multiple of 8.")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	taps := Load(Param("taps").Base(), GP64())
	count := Load(Param("taps").Len(), GP64())
	Label("loop")
	SUBQ(Imm(8), n)
	JL(LabelRef("end"))
	lo, hi, j := YMM(), YMM(), GP64()
	s.zero(lo)
	s.zero(hi)
	XORQ(j, j)
	Label("tap")
	t := YMM()
	VBROADCASTSD(Mem{Base: taps, Index: j, Scale: 4}, t)
	VFMADD231PS(Mem{Base: x, Index: j, Scale: 4}, t, lo)
	VFMADD231PS(Mem{Base: x, Index: j, Scale: 4, Disp: 32}, t, hi)
	ADDQ(Imm(2), j)
	CMPQ(j, count)
	JL(LabelRef("tap"))
	VHADDPS(hi, lo, lo)
	VPERMPD(Imm(0xd8), lo, lo)
	VMOVUPS(lo, Mem{Base: dst})
	ADDQ(Imm(64), x)
	ADDQ(Imm(32), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}
