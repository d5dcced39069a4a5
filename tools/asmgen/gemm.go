package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is one vector width of the matrix-multiply kernel.
type isa struct {
	name  string
	lanes int // float32 in a vector
	rows  int // rows of a tile: the height of a packed panel of A
	reg   func() reg.VecVirtual
	zero  func(reg.VecVirtual)
}

var (
	avx2 = isa{"AVX2", 8, 4, YMM, func(v reg.VecVirtual) { VXORPS(v, v, v) }}
	// VPXORD of zmm needs only AVX512F; VXORPS of zmm would need AVX512DQ.
	avx512 = isa{"AVX512", 16, 8, ZMM, func(v reg.VecVirtual) { VPXORD(v, v, v) }}
)

// gemmUnroll is the number of k steps in one turn of the main loop.
const gemmUnroll = 4

func gemmKernels() {
	for _, s := range []isa{avx2, avx512} {
		for vectors := 1; vectors <= 3; vectors++ {
			gemm(s, vectors)
		}
	}
	tileKernels()
}

// gemm writes a kernel for tiles of s.rows rows and vectors*s.lanes columns.
// Every element is one chain of fused multiply-adds in the order of k, so its
// bits do not depend on the tile's shape.
func gemm(s isa, vectors int) {
	name := fmt.Sprintf("gemm%dx%d%s", s.rows, vectors*s.lanes, s.name)
	TEXT(name, NOSPLIT, "func(a, b []float32, off []int32, c []float32, ldc, panels, aStride, accumulate int)")
	Doc(fmt.Sprintf("%s computes panels tiles of %d rows and %d columns below each other; see kernels.gemm.", name, s.rows, vectors*s.lanes))
	a := Load(Param("a").Base(), GP64())
	b := Load(Param("b").Base(), GP64())
	off := Load(Param("off").Base(), GP64())
	k := Load(Param("off").Len(), GP64())
	c := Load(Param("c").Base(), GP64())
	ldc := Load(Param("ldc"), GP64())
	panels := Load(Param("panels"), GP64())
	aStride := Load(Param("aStride"), GP64())
	SHLQ(Imm(2), ldc)
	SHLQ(Imm(2), aStride)

	acc := make([][]reg.VecVirtual, s.rows)
	for i := range acc {
		for range vectors {
			acc[i] = append(acc[i], s.reg())
		}
	}
	Label("panel")
	TESTQ(panels, panels)
	JE(LabelRef("done"))
	for i := range acc {
		for v := range acc[i] {
			s.zero(acc[i][v])
		}
	}
	ap, op, n := GP64(), GP64(), GP64()
	MOVQ(a, ap)
	MOVQ(off, op)
	MOVQ(k, n)
	SUBQ(Imm(gemmUnroll), n)
	JL(LabelRef("tail"))
	Label("loop")
	for u := range gemmUnroll {
		gemmStep(s, acc, ap, b, op, u)
	}
	ADDQ(Imm(uint64(gemmUnroll*s.rows*4)), ap)
	ADDQ(Imm(gemmUnroll*4), op)
	SUBQ(Imm(gemmUnroll), n)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(gemmUnroll), n)
	JE(LabelRef("store"))
	Label("single")
	gemmStep(s, acc, ap, b, op, 0)
	ADDQ(Imm(uint64(s.rows*4)), ap)
	ADDQ(Imm(4), op)
	DECQ(n)
	JNE(LabelRef("single"))

	Label("store")
	continued := GP64()
	Load(Param("accumulate"), continued)
	TESTQ(continued, continued)
	JE(LabelRef("write"))
	eachRow(s, c, ldc, func(i int, row reg.Register) {
		for v := range acc[i] {
			VADDPS(Mem{Base: row, Disp: v * s.lanes * 4}, acc[i][v], acc[i][v])
		}
	})
	Label("write")
	eachRow(s, c, ldc, func(i int, row reg.Register) {
		for v := range acc[i] {
			VMOVUPS(acc[i][v], Mem{Base: row, Disp: v * s.lanes * 4})
		}
	})
	for range s.rows {
		ADDQ(ldc, c)
	}
	ADDQ(aStride, a)
	DECQ(panels)
	JMP(LabelRef("panel"))
	Label("done")
	VZEROUPPER()
	RET()
}

// gemmStep adds the outer product of one row of the panel and one row of B.
func gemmStep(s isa, acc [][]reg.VecVirtual, a, b, off reg.Register, u int) {
	at := GP64()
	MOVLQSX(Mem{Base: off, Disp: u * 4}, at)
	var row []reg.VecVirtual
	for v := range acc[0] {
		r := s.reg()
		VMOVUPS(Mem{Base: b, Index: at, Scale: 4, Disp: v * s.lanes * 4}, r)
		row = append(row, r)
	}
	for i := range acc {
		x := s.reg()
		VBROADCASTSS(Mem{Base: a, Disp: (u*s.rows + i) * 4}, x)
		for v := range acc[i] {
			VFMADD231PS(row[v], x, acc[i][v])
		}
	}
}

// eachRow calls f with a register that points at each of the tile's rows.
func eachRow(s isa, c, ldc reg.Register, f func(i int, row reg.Register)) {
	row := GP64()
	MOVQ(c, row)
	for i := range s.rows {
		f(i, row)
		if i+1 < s.rows {
			ADDQ(ldc, row)
		}
	}
}
