package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dropoutKernel writes inverted dropout with masks from Philox4x32-10, eight
// blocks of four words at a time, a word of every block in each register.
func dropoutKernel() {
	TEXT("dropoutAVX2", NOSPLIT, "func(dst, x []float32, block, index0, index1, stream, key0, key1, limit uint32, keep float32)")
	Doc("dropoutAVX2 keeps x*keep where the random word is at least limit; see kernels.dropout.")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	next := scalar("block")
	VPADDD(blockOrder(), next, next)
	Label("loop")
	SUBQ(Imm(32), n)
	JL(LabelRef("end"))
	c := [4]reg.VecVirtual{YMM(), scalar("index0"), scalar("index1"), scalar("stream")}
	VMOVDQA(next, c[0])
	philox(c, scalar("key0"), scalar("key1"))
	for i, words := range elementOrder(c) {
		threshold := YMM()
		VPMAXUD(scalar("limit"), words, threshold)
		VPCMPEQD(words, threshold, threshold)
		v := scalar("keep")
		VMULPS(Mem{Base: x, Disp: 32 * i}, v, v)
		VPAND(threshold, v, v)
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
	}
	VPADDD(bits("eight", 8), next, next)
	ADDQ(Imm(128), x)
	ADDQ(Imm(128), dst)
	JMP(LabelRef("loop"))
	Label("end")
	finish()
}

// blockOrder is the number of the block in each lane: such that elementOrder
// leaves neighbouring blocks in one register.
func blockOrder() Mem {
	m := GLOBL("blockOrder", RODATA|NOPTR)
	for i, v := range []uint32{0, 2, 4, 6, 1, 3, 5, 7} {
		DATA(4*i, U32(v))
	}
	return m
}

// philox replaces the counters c by the random words under the key.
func philox(c [4]reg.VecVirtual, key0, key1 reg.VecVirtual) {
	for round := range 10 {
		if round > 0 {
			VPADDD(bits("philoxKey0", 0x9E3779B9), key0, key0)
			VPADDD(bits("philoxKey1", 0xBB67AE85), key1, key1)
		}
		high0, low0 := product(c[0], bits("philoxMul0", 0xD2511F53))
		high1, low1 := product(c[2], bits("philoxMul1", 0xCD9E8D57))
		VPXOR(c[1], high1, high1)
		VPXOR(key0, high1, c[0])
		VMOVDQA(low1, c[1])
		VPXOR(c[3], high0, high0)
		VPXOR(key1, high0, c[2])
		VMOVDQA(low0, c[3])
	}
}

// product returns the high and low words of a times b.
func product(a reg.VecVirtual, b Mem) (high, low reg.VecVirtual) {
	even, odd := YMM(), YMM()
	high, low = YMM(), YMM()
	VPMULUDQ(b, a, even)
	VPSRLQ(Imm(32), a, odd)
	VPMULUDQ(b, odd, odd)
	VPSLLQ(Imm(32), odd, low)
	VPBLENDD(Imm(0xaa), low, even, low)
	VPSRLQ(Imm(32), even, high)
	VPBLENDD(Imm(0xaa), odd, high, high)
	return high, low
}

// elementOrder transposes words of blocks to blocks of words.
func elementOrder(c [4]reg.VecVirtual) [4]reg.VecVirtual {
	a, b, d, e := YMM(), YMM(), YMM(), YMM()
	VPUNPCKLDQ(c[1], c[0], a)
	VPUNPCKLDQ(c[3], c[2], b)
	VPUNPCKHDQ(c[1], c[0], d)
	VPUNPCKHDQ(c[3], c[2], e)
	out := [4]reg.VecVirtual{YMM(), YMM(), YMM(), YMM()}
	VPUNPCKLQDQ(b, a, out[0])
	VPUNPCKHQDQ(b, a, out[1])
	VPUNPCKLQDQ(e, d, out[2])
	VPUNPCKHQDQ(e, d, out[3])
	return out
}
