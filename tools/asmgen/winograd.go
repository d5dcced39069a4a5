package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// winogradKernels writes the parts of F(4x4,3x3): the one-dimensional maps
// that its transforms apply to rows and columns, and the products of the
// transformed tiles.
func winogradKernels() {
	fetch()
	for _, s := range []isa{avx2, avx512} {
		for _, m := range linearMaps {
			linearMap(s, m)
		}
		rows := map[string]int{"AVX2": 6, "AVX512": 8}[s.name]
		for columns := 1; columns <= 2; columns++ {
			tileProduct(s, rows, columns)
		}
		rows = map[string]int{"AVX2": 4, "AVX512": 8}[s.name]
		for columns := 1; columns <= 2; columns++ {
			tileGradient(s, rows, columns)
		}
	}
}

// fetch writes a loop of prefetches.
func fetch() {
	TEXT("fetchAVX2", NOSPLIT, "func(src []float32, rows, stride, n int)")
	Doc("fetchAVX2 asks for the cache lines of n elements of each of rows rows, stride elements apart.")
	src, rows, stride := Load(Param("src").Base(), GP64()), Load(Param("rows"), GP64()), bytesOf("stride")
	n := bytesOf("n")
	Label("row")
	at := GP64()
	XORQ(at, at)
	Label("line")
	PREFETCHT0(Mem{Base: src, Index: at, Scale: 1})
	ADDQ(Imm(64), at)
	CMPQ(at, n)
	JLT(LabelRef("line"))
	ADDQ(stride, src)
	DECQ(rows)
	JNE(LabelRef("row"))
	RET()
}

// mapper is a one-dimensional map of vectors: in is what it takes, the result
// what it gives. k returns a vector that holds a constant.
type mapper struct {
	name    string
	in, out int
	doc     string
	apply   func(v maths, in []reg.VecVirtual) []reg.VecVirtual
}

// linearMaps are the matrices of F(4x4,3x3) for the points 0, 1, -1, 2, -2 and
// infinity (Lavin and Gray 2016).
var linearMaps = []mapper{
	{"winogradInput", 6, 6, "B^T, of a tile of the input", func(v maths, d []reg.VecVirtual) []reg.VecVirtual {
		a, b := v.fma(-4, d[2], d[4]), v.fma(-4, d[1], d[3])
		c, e := v.sub(d[4], d[2]), v.sub(d[3], d[1])
		return []reg.VecVirtual{
			v.fma(4, d[0], v.fma(-5, d[2], d[4])), v.add(a, b), v.sub(a, b),
			v.fma(2, e, c), v.fma(-2, e, c), v.fma(4, d[1], v.fma(-5, d[3], d[5])),
		}
	}},
	{"winogradOutput", 6, 4, "A^T, of a tile of products", func(v maths, m []reg.VecVirtual) []reg.VecVirtual {
		s, d := v.add(m[1], m[2]), v.sub(m[1], m[2])
		t, e := v.add(m[3], m[4]), v.sub(m[3], m[4])
		return []reg.VecVirtual{
			v.add(v.add(m[0], s), t), v.fma(2, e, d), v.fma(4, t, s), v.add(v.fma(8, e, d), m[5]),
		}
	}},
	{"winogradSpread", 4, 6, "A, of a tile of the output's gradient", func(v maths, y []reg.VecVirtual) []reg.VecVirtual {
		e, o := v.add(y[0], y[2]), v.add(y[1], y[3])
		f, p := v.fma(4, y[2], y[0]), v.fma(4, y[3], y[1])
		return []reg.VecVirtual{y[0], v.add(e, o), v.sub(e, o), v.fma(2, p, f), v.fma(-2, p, f), y[3]}
	}},
	{"winogradFilter", 3, 6, "G, of a filter", filterMap},
	{"winogradMirror", 3, 6, "G of a filter in reverse", func(v maths, g []reg.VecVirtual) []reg.VecVirtual {
		return filterMap(v, []reg.VecVirtual{g[2], g[1], g[0]})
	}},
	{"winogradFilterGrad", 6, 3, "G^T, of a filter's transformed gradient", func(v maths, u []reg.VecVirtual) []reg.VecVirtual {
		s, d := v.add(u[1], u[2]), v.sub(u[2], u[1])
		t, e := v.add(u[3], u[4]), v.sub(u[3], u[4])
		return []reg.VecVirtual{
			v.fma(1.0/24, t, v.fma(-1.0/6, s, v.mul(1.0/4, u[0]))),
			v.fma(1.0/12, e, v.mul(1.0/6, d)),
			v.fma(1.0/6, t, v.fma(-1.0/6, s, u[5])),
		}
	}},
}

func filterMap(v maths, g []reg.VecVirtual) []reg.VecVirtual {
	s := v.add(g[0], g[2])
	r := v.fma(1.0/6, g[2], v.mul(1.0/24, g[0]))
	return []reg.VecVirtual{
		v.mul(1.0/4, g[0]), v.mul(-1.0/6, v.add(s, g[1])), v.mul(-1.0/6, v.sub(s, g[1])),
		v.fma(1.0/12, g[1], r), v.fma(-1.0/12, g[1], r), g[2],
	}
}

// maths emits arithmetic on new registers of one width.
type maths struct {
	s         isa
	constants map[float32]reg.VecVirtual
}

func (v maths) add(x, y reg.VecVirtual) reg.VecVirtual {
	r := v.s.reg()
	VADDPS(y, x, r)
	return r
}

func (v maths) sub(x, y reg.VecVirtual) reg.VecVirtual {
	r := v.s.reg()
	VSUBPS(y, x, r)
	return r
}

func (v maths) mul(c float32, x reg.VecVirtual) reg.VecVirtual {
	r := v.s.reg()
	VMULPS(v.constants[c], x, r)
	return r
}

// fma returns c*x + y; a negative c shares the register of its magnitude.
func (v maths) fma(c float32, x, y reg.VecVirtual) reg.VecVirtual {
	r := v.s.reg()
	move(y, r)
	if c < 0 && v.constants[c] == nil {
		VFNMADD231PS(v.constants[-c], x, r)
	} else {
		VFMADD231PS(v.constants[c], x, r)
	}
	return r
}

func move(from, to reg.VecVirtual) { VMOVAPS(from, to) }

// mapConstants are the factors that a map multiplies by.
func mapConstants(name string) []float32 {
	switch name {
	case "winogradInput":
		return []float32{2, 4, 5}
	case "winogradOutput":
		return []float32{2, 4, 8}
	case "winogradSpread":
		return []float32{2, 4}
	case "winogradFilter", "winogradMirror":
		return []float32{1.0 / 4, -1.0 / 6, 1.0 / 6, 1.0 / 24, 1.0 / 12}
	}
	return []float32{1.0 / 4, 1.0 / 6, 1.0 / 24, 1.0 / 12}
}

// linearMap writes two nested loops over one map.
func linearMap(s isa, m mapper) {
	TEXT(m.name+s.name, NOSPLIT, "func(dst, src []float32, outer, dstOuter, srcOuter, inner, dstInner, srcInner, dstStride, srcStride int)")
	Doc(fmt.Sprintf("%s%s applies %s; see kernels.winograd.", m.name, s.name, m.doc))
	v := maths{s, map[float32]reg.VecVirtual{}}
	for _, c := range mapConstants(m.name) {
		r := s.reg()
		VBROADCASTSS(constant(fmt.Sprintf("winograd%08x", floatBits(c)), c), r)
		v.constants[c] = r
	}
	dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
	outer := Load(Param("outer"), GP64())
	to, from := multiples("dstStride", m.out), multiples("srcStride", m.in)
	dstInner, srcInner := bytesOf("dstInner"), bytesOf("srcInner")
	Label("outer")
	DECQ(outer)
	JL(LabelRef("done"))
	d, f, n := GP64(), GP64(), GP64()
	MOVQ(dst, d)
	MOVQ(src, f)
	Load(Param("inner"), n)
	Label("inner")
	in := make([]reg.VecVirtual, m.in)
	for i := range in {
		in[i] = s.reg()
		VMOVUPS(from(f, i), in[i])
	}
	for i, r := range m.apply(v, in) {
		VMOVUPS(r, to(d, i))
	}
	ADDQ(dstInner, d)
	ADDQ(srcInner, f)
	DECQ(n)
	JNE(LabelRef("inner"))
	step := GP64()
	for _, p := range []struct {
		name string
		base reg.Register
	}{{"dstOuter", dst}, {"srcOuter", src}} {
		Load(Param(p.name), step)
		SHLQ(Imm(2), step)
		ADDQ(step, p.base)
	}
	JMP(LabelRef("outer"))
	Label("done")
	finish()
}

// bytesOf loads a parameter that counts float32.
func bytesOf(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	SHLQ(Imm(2), r)
	return r
}

// multiples returns the operand i strides after a base, i < n <= 6.
func multiples(name string, n int) func(base reg.Register, i int) Mem {
	one := bytesOf(name)
	three, five := GP64(), GP64()
	LEAQ(Mem{Base: one, Index: one, Scale: 2}, three)
	if n > 5 {
		LEAQ(Mem{Base: one, Index: one, Scale: 4}, five)
	}
	return func(base reg.Register, i int) Mem {
		switch i {
		case 0:
			return Mem{Base: base}
		case 1, 2, 4:
			return Mem{Base: base, Index: one, Scale: uint8(i)}
		case 3:
			return Mem{Base: base, Index: three, Scale: 1}
		}
		return Mem{Base: base, Index: five, Scale: 1}
	}
}

// accumulators returns rows x columns registers.
func accumulators(s isa, rows, columns int) [][]reg.VecVirtual {
	acc := make([][]reg.VecVirtual, rows)
	for i := range acc {
		for range columns {
			acc[i] = append(acc[i], s.reg())
		}
	}
	return acc
}

func clearAll(s isa, acc [][]reg.VecVirtual) {
	for i := range acc {
		for v := range acc[i] {
			s.zero(acc[i][v])
		}
	}
}

// outer emits acc[i][v] += a[i] * b[v].
func outer(s isa, acc [][]reg.VecVirtual, a func(i int) Mem, b func(v int) Mem) {
	var row []reg.VecVirtual
	for v := range acc[0] {
		r := s.reg()
		VMOVUPS(b(v), r)
		row = append(row, r)
	}
	for i := range acc {
		x := s.reg()
		VBROADCASTSS(a(i), x)
		for v := range acc[i] {
			VFMADD231PS(row[v], x, acc[i][v])
		}
	}
}

// prefetched is the number of cache lines of the next operand that a product
// asks for in each turn of its inner loop.
const prefetched = 8

// tileProduct writes the product of transformed input and filters: channels of
// the sum lie in blocks of a vector.
func tileProduct(s isa, rows, columns int) {
	name := fmt.Sprintf("winogradProduct%dx%d%s", rows, columns, s.name)
	TEXT(name, NOSPLIT, "func(c, a, b, next []float32, tiles, depth, cStride, aStride, bStride int)")
	Doc(fmt.Sprintf("%s multiplies groups of %d tiles by %d vectors of output channels; see kernels.winograd.", name, rows, columns))
	c, a, b := Load(Param("c").Base(), GP64()), Load(Param("a").Base(), GP64()), Load(Param("b").Base(), GP64())
	tiles, depth := Load(Param("tiles"), GP64()), Load(Param("depth"), GP64())
	cStride, aStride, bStride := bytesOf("cStride"), bytesOf("aStride"), bytesOf("bStride")
	lane := s.lanes * 4
	acc := accumulators(s, rows, columns)
	soon, end := Load(Param("next").Base(), GP64()), Load(Param("next").Len(), GP64())
	LEAQ(Mem{Base: soon, Index: end, Scale: 4}, end)
	Label("tile")
	DECQ(tiles)
	JL(LabelRef("done"))
	clearAll(s, acc)
	x, y, n := GP64(), GP64(), GP64()
	MOVQ(a, x)
	MOVQ(b, y)
	MOVQ(depth, n)
	Label("block")
	for i := range prefetched {
		PREFETCHT1(Mem{Base: soon, Disp: i * 64})
	}
	ADDQ(U32(prefetched*64), soon)
	CMPQ(soon, end)
	CMOVQHI(end, soon)
	for k := range s.lanes {
		outer(s, acc,
			func(i int) Mem { return Mem{Base: x, Disp: i*lane + k*4} },
			func(v int) Mem { return column(y, bStride, v, k*lane) })
	}
	ADDQ(aStride, x)
	ADDQ(U32(s.lanes*lane), y)
	DECQ(n)
	JNE(LabelRef("block"))
	for i := range acc {
		for v := range acc[i] {
			VMOVUPS(acc[i][v], column(c, cStride, v, i*lane))
		}
	}
	ADDQ(U32(rows*lane), c)
	ADDQ(U32(rows*lane), a)
	JMP(LabelRef("tile"))
	Label("done")
	finish()
}

// column is the operand of vector v of a row, v < 2.
func column(base, stride reg.Register, v, disp int) Mem {
	m := Mem{Base: base, Disp: disp}
	if v > 0 {
		m.Index, m.Scale = stride, 1
	}
	return m
}

// gradientUnroll is the number of tiles in one turn of tileGradient's loop.
const gradientUnroll = 4

// tileGradient writes the product that sums over tiles: rows of c are input
// channels.
func tileGradient(s isa, rows, columns int) {
	name := fmt.Sprintf("winogradGradient%dx%d%s", rows, columns, s.name)
	TEXT(name, NOSPLIT, "func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int)")
	Doc(fmt.Sprintf("%s sums over tiles the products of input channels, %d at a time, with %d vectors of output channels; see kernels.winograd.", name, rows, columns))
	c, a := Load(Param("c").Base(), GP64()), Load(Param("a").Base(), GP64())
	cStride, bStride := bytesOf("cStride"), bytesOf("bStride")
	acc := accumulators(s, rows, columns)
	blocks, groups := Load(Param("blocks"), GP64()), GP64()
	Label("blocks")
	MOVQ(U32(s.lanes/rows), groups)
	Label("group")
	clearAll(s, acc)
	sumTiles(s, acc, a, bStride)
	storeSums(s, acc, c, cStride)
	ADDQ(U32(rows*s.lanes*4), c)
	ADDQ(U32(rows*4), a)
	DECQ(groups)
	JNE(LabelRef("group"))
	next := bytesOf("aStride")
	LEAQ(Mem{Base: a, Index: next, Scale: 1, Disp: -s.lanes * 4}, a)
	DECQ(blocks)
	JNE(LabelRef("blocks"))
	finish()
}

// sumTiles adds the products of all tiles.
func sumTiles(s isa, acc [][]reg.VecVirtual, a, bStride reg.Register) {
	lane := s.lanes * 4
	x, y, n := GP64(), GP64(), GP64()
	MOVQ(a, x)
	Load(Param("b").Base(), y)
	Load(Param("tiles"), n)
	step := func(u int) {
		outer(s, acc,
			func(i int) Mem { return Mem{Base: x, Disp: u*lane + i*4} },
			func(v int) Mem { return column(y, bStride, v, u*lane) })
	}
	SUBQ(Imm(gradientUnroll), n)
	JL(LabelRef("tail"))
	Label("loop")
	for u := range gradientUnroll {
		step(u)
	}
	ADDQ(U32(gradientUnroll*lane), x)
	ADDQ(U32(gradientUnroll*lane), y)
	SUBQ(Imm(gradientUnroll), n)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(gradientUnroll), n)
	JE(LabelRef("store"))
	Label("single")
	step(0)
	ADDQ(U32(lane), x)
	ADDQ(U32(lane), y)
	DECQ(n)
	JNE(LabelRef("single"))
	Label("store")
}

// storeSums writes the sums to c, or adds them to it.
func storeSums(s isa, acc [][]reg.VecVirtual, c, cStride reg.Register) {
	lane := s.lanes * 4
	continued := GP64()
	Load(Param("accumulate"), continued)
	TESTQ(continued, continued)
	JE(LabelRef("write"))
	for i := range acc {
		for v := range acc[i] {
			VADDPS(column(c, cStride, v, i*lane), acc[i][v], acc[i][v])
		}
	}
	Label("write")
	for i := range acc {
		for v := range acc[i] {
			VMOVUPS(acc[i][v], column(c, cStride, v, i*lane))
		}
	}
}

func floatBits(c float32) uint32 { return math.Float32bits(c) }
