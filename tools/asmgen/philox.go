package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of Philox4x32: multipliers and the steps of the key.
const (
	philoxRounds = 10
	philoxMul0   = 0xD2511F53
	philoxMul1   = 0xCD9E8D57
	philoxKey0   = 0x9E3779B9
	philoxKey1   = 0xBB67AE85
)

// dropoutKernel writes inverted dropout with masks from Philox4x32-10: as many
// blocks of four words at a time as a vector has lanes, a word of every block
// in each register.
func dropoutKernel(s isa) {
	function(s, "dropout", "(dst, x []float32, block, index0, index1, stream, key0, key1, limit uint32, keep float32)",
		"keeps x*keep where the random word is at least limit; see kernels.dropout.")
	dst := Load(Param("dst").Base(), GP64())
	x := Load(Param("x").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	next := scalar(s, "block")
	VPADDD(blockOrder(s), next, next)
	if s.lanes == 8 {
		dropout8(dst, x, n, next)
	} else {
		dropout16(dst, x, n, next)
	}
	finish()
}

// blockOrder is the number of the block in each lane: such that elementOrder
// leaves neighbouring blocks in one register.
func blockOrder(s isa) Mem {
	parts := s.lanes / 4 // of four lanes
	words := make([]uint32, s.lanes)
	for i := range words {
		words[i] = uint32(parts*(i%4) + i/4)
	}
	return table("blockOrder"+s.name, words)
}

// elementOrder transposes words of blocks to blocks of words.
func elementOrder(c [4]reg.VecVirtual) [4]reg.VecVirtual {
	a, b, d, e := like(c[0]), like(c[0]), like(c[0]), like(c[0])
	VPUNPCKLDQ(c[1], c[0], a)
	VPUNPCKLDQ(c[3], c[2], b)
	VPUNPCKHDQ(c[1], c[0], d)
	VPUNPCKHDQ(c[3], c[2], e)
	out := [4]reg.VecVirtual{like(a), like(a), like(a), like(a)}
	VPUNPCKLQDQ(b, a, out[0])
	VPUNPCKHQDQ(b, a, out[1])
	VPUNPCKLQDQ(e, d, out[2])
	VPUNPCKHQDQ(e, d, out[3])
	return out
}

// dropout8 emits the loop for 32 elements a turn.
func dropout8(dst, x, n reg.Register, next reg.VecVirtual) {
	Label("loop")
	SUBQ(Imm(32), n)
	JL(LabelRef("end"))
	c := [4]reg.VecVirtual{YMM(), scalar(avx2, "index0"), scalar(avx2, "index1"), scalar(avx2, "stream")}
	VMOVDQA(next, c[0])
	philox8(c, scalar(avx2, "key0"), scalar(avx2, "key1"))
	for i, words := range elementOrder(c) {
		threshold := YMM()
		VPMAXUD(scalar(avx2, "limit"), words, threshold)
		VPCMPEQD(words, threshold, threshold)
		v := scalar(avx2, "keep")
		VMULPS(Mem{Base: x, Disp: 32 * i}, v, v)
		VPAND(threshold, v, v)
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
	}
	VPADDD(bits("eight", 8), next, next)
	ADDQ(Imm(128), x)
	ADDQ(Imm(128), dst)
	JMP(LabelRef("loop"))
	Label("end")
}

// philox8 replaces the counters c by the random words under the key.
func philox8(c [4]reg.VecVirtual, key0, key1 reg.VecVirtual) {
	for round := range philoxRounds {
		if round > 0 {
			VPADDD(bits("philoxKey0", philoxKey0), key0, key0)
			VPADDD(bits("philoxKey1", philoxKey1), key1, key1)
		}
		high0, low0 := product8(c[0], bits("philoxMul0", philoxMul0))
		high1, low1 := product8(c[2], bits("philoxMul1", philoxMul1))
		VPXOR(c[1], high1, high1)
		VPXOR(key0, high1, c[0])
		VMOVDQA(low1, c[1])
		VPXOR(c[3], high0, high0)
		VPXOR(key1, high0, c[2])
		VMOVDQA(low0, c[3])
	}
}

// product8 returns the high and low words of a times b.
func product8(a reg.VecVirtual, b Mem) (high, low reg.VecVirtual) {
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

// dropout16 emits the loop for 64 elements a turn, of which the last may keep
// 32. The keys of the rounds lie on the stack.
func dropout16(dst, x, n reg.Register, next reg.VecVirtual) {
	keys := AllocLocal(4 * 2 * philoxRounds)
	for i, step := range []uint32{philoxKey0, philoxKey1} {
		key := Load(Param([]string{"key0", "key1"}[i]), GP32())
		for round := range philoxRounds {
			MOVL(key, keys.Offset(8*round+4*i))
			ADDL(U32(step), key)
		}
	}
	even, odd, bits16 := K(), K(), GP32()
	MOVL(U32(0x5555), bits16)
	KMOVW(bits16, even)
	MOVL(U32(0xaaaa), bits16)
	KMOVW(bits16, odd)
	index0, index1, stream := scalar(avx512, "index0"), scalar(avx512, "index1"), scalar(avx512, "stream")
	limit, keep := scalar(avx512, "limit"), scalar(avx512, "keep")
	TESTQ(n, n)
	JE(LabelRef("end"))
	Label("loop")
	c := [4]reg.VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	for i, v := range []reg.VecVirtual{next, index0, index1, stream} {
		VMOVDQA32(v, c[i])
	}
	philox16(&c, keys, even, odd)
	for i, words := range elementOrder(c) {
		if i == 2 {
			CMPQ(n, Imm(64))
			JL(LabelRef("end"))
		}
		at, v := K(), ZMM()
		VPCMPUD(Imm(5), limit, words, at) // not less
		VMULPS_Z(Mem{Base: x, Disp: 64 * i}, keep, at, v)
		VMOVUPS(v, Mem{Base: dst, Disp: 64 * i})
	}
	VPADDD_BCST(bits("sixteen", 16), next, next)
	ADDQ(U32(256), x)
	ADDQ(U32(256), dst)
	SUBQ(Imm(64), n)
	JNE(LabelRef("loop"))
	Label("end")
}

// philox16 is philox8 with the keys of the rounds in memory.
func philox16(c *[4]reg.VecVirtual, keys Mem, even, odd reg.OpmaskVirtual) {
	for round := range philoxRounds {
		high0, low0 := product16(c[0], bits("philoxMul0", philoxMul0), even, odd)
		high1, low1 := product16(c[2], bits("philoxMul1", philoxMul1), even, odd)
		const xor3 = 0x96
		VPTERNLOGD_BCST(Imm(xor3), keys.Offset(8*round), c[1], high1)
		VPTERNLOGD_BCST(Imm(xor3), keys.Offset(8*round+4), c[3], high0)
		*c = [4]reg.VecVirtual{high1, low1, high0, low0}
	}
}

// product16 returns the high and low words of a times b. The masks say which
// lanes are even and odd.
func product16(a reg.VecVirtual, b Mem, evens, odds reg.OpmaskVirtual) (high, low reg.VecVirtual) {
	even, odd, low := ZMM(), ZMM(), ZMM()
	VMOVSHDUP(a, odd)
	VPMULUDQ_BCST(b, a, even)
	VPMULUDQ_BCST(b, odd, odd)
	VMOVDQA32(even, low)
	VMOVSLDUP(odd, odds, low)
	VMOVSHDUP(even, evens, odd)
	return odd, low
}
