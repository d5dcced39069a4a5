package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packKernels writes the transposes that build panels.
func packKernels() {
	interleave4()
	interleave8()
}

// interleave4 transposes 4x4 blocks in xmm registers.
func interleave4() {
	TEXT("interleave4AVX2", NOSPLIT, "func(dst, src []float32, stride, n, dstStride int)")
	Doc("interleave4AVX2 sets dst[i*dstStride+r] = src[r*stride+i] for r < 4 and i < n, n a multiple of 4.")
	dst := Load(Param("dst").Base(), GP64())
	rows := rowPointers(4)
	n := Load(Param("n"), GP64())
	step := Load(Param("dstStride"), GP64())
	SHLQ(Imm(2), step)
	i := GP64()
	XORQ(i, i)
	Label("loop")
	SUBQ(Imm(4), n)
	JL(LabelRef("end"))
	var v [4]reg.VecVirtual
	for r := range v {
		v[r] = XMM()
		VMOVUPS(Mem{Base: rows[r], Index: i, Scale: 4}, v[r])
	}
	a, b, c, d := XMM(), XMM(), XMM(), XMM()
	VUNPCKLPS(v[1], v[0], a)
	VUNPCKLPS(v[3], v[2], b)
	VUNPCKHPS(v[1], v[0], c)
	VUNPCKHPS(v[3], v[2], d)
	out := XMM()
	for _, pair := range [][2]reg.VecVirtual{{a, b}, {c, d}} {
		VMOVLHPS(pair[1], pair[0], out)
		VMOVUPS(out, Mem{Base: dst})
		ADDQ(step, dst)
		VMOVHLPS(pair[0], pair[1], out)
		VMOVUPS(out, Mem{Base: dst})
		ADDQ(step, dst)
	}
	ADDQ(Imm(4), i)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}

// interleave8 transposes 8x8 blocks: pairs of 4-lane halves are loaded so that
// only in-lane shuffles are left.
func interleave8() {
	TEXT("interleave8AVX2", NOSPLIT, "func(dst, src []float32, stride, n, dstStride int)")
	Doc("interleave8AVX2 sets dst[i*dstStride+r] = src[r*stride+i] for r < 8 and i < n, n a multiple of 4.")
	dst := Load(Param("dst").Base(), GP64())
	rows := rowPointers(8)
	n := Load(Param("n"), GP64())
	step := GP64()
	Load(Param("dstStride"), step)
	SHLQ(Imm(2), step)
	Label("loop")
	SUBQ(Imm(4), n)
	JL(LabelRef("end"))
	var v [4]reg.VecVirtual
	for r := range v {
		v[r] = YMM()
		VMOVUPS(Mem{Base: rows[r]}, v[r].AsX())
		VINSERTF128(Imm(1), Mem{Base: rows[r+4]}, v[r], v[r])
	}
	a, b, c, d := YMM(), YMM(), YMM(), YMM()
	VUNPCKLPS(v[1], v[0], a)
	VUNPCKLPS(v[3], v[2], b)
	VUNPCKHPS(v[1], v[0], c)
	VUNPCKHPS(v[3], v[2], d)
	out := YMM()
	for _, pair := range [][2]reg.VecVirtual{{a, b}, {c, d}} {
		VUNPCKLPD(pair[1], pair[0], out)
		VMOVUPS(out, Mem{Base: dst})
		ADDQ(step, dst)
		VUNPCKHPD(pair[1], pair[0], out)
		VMOVUPS(out, Mem{Base: dst})
		ADDQ(step, dst)
	}
	for r := range rows {
		ADDQ(Imm(16), rows[r])
	}
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}

// rowPointers returns pointers to the rows of src.
func rowPointers(n int) []reg.Register {
	stride := Load(Param("stride"), GP64())
	SHLQ(Imm(2), stride)
	rows := []reg.Register{Load(Param("src").Base(), GP64())}
	for r := 1; r < n; r++ {
		p := GP64()
		MOVQ(rows[r-1], p)
		ADDQ(stride, p)
		rows = append(rows, p)
	}
	return rows
}
