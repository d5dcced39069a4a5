package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tileArgs is the type of the argument of a tile kernel. It must be the text of
// cpu.tileArgs, an alias: where they differ, the package does not compile.
const tileArgs = `struct{
	a []float32; aRow, aStep int
	b []float32; bStep int; pack []float32
	depth, panels int
	c []float32; ldc int
	accumulate, finish int; scale float32
	add, shift, residual []float32
	ahead []float32; lines []int32; pace int
}`

// fetchLines is the number of cache lines that a turn of gemmUnroll steps asks
// for. The processor has room for about one line in 12 to 20 cycles.
const fetchLines = 6

func tileKernels() {
	for _, s := range []isa{avx2, avx512} {
		for vectors := 1; vectors <= 3; vectors++ {
			(&tile{isa: s, vectors: vectors}).write()
		}
	}
}

// tile is one kernel and its registers: tiles of s.rows rows and vectors
// vectors of columns, see cpu.tileFunc.
type tile struct {
	isa
	vectors int
	acc     [][]reg.VecVirtual
	args    gotypes.Component

	a         [2]reg.Register // rows 0 and 4 of the tile, at the current step
	row, row3 reg.Register    // bytes between rows, and three times that
	step      reg.Register    // bytes of A between steps of the sum
	b, bStep  reg.Register
	pack      reg.Register
	n         reg.Register // steps left
	lines     reg.Register
	left      reg.Register // of lines
	ahead     reg.Register
	count     reg.GPVirtual // of the turns that fetch
	pace      Mem

	// What a panel needs once: kept in the frame to leave the registers to the
	// loop.
	aHere, bHere, cHere, addHere, residualHere, packHere, panelsLeft Mem
}

func (t *tile) width() int { return t.vectors * t.lanes * 4 }

func (t *tile) write() {
	name := fmt.Sprintf("tile%dx%d%s", t.rows, t.vectors*t.lanes, t.name)
	TEXT(name, NOSPLIT, "func(t *"+tileArgs+")")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is a tileFunc for tiles of %d rows and %d columns.", name, t.rows, t.vectors*t.lanes))
	t.load()
	for range t.rows {
		var row []reg.VecVirtual
		for range t.vectors {
			row = append(row, t.reg())
		}
		t.acc = append(t.acc, row)
	}
	Label("panel")
	t.begin()
	packing := GP64()
	MOVQ(t.packHere, packing)
	TESTQ(packing, packing)
	JE(LabelRef("stored"))
	MOVQ(packing, t.pack)
	t.loop("packing", true)
	t.usePacked()
	JMP(LabelRef("finish"))
	Label("stored")
	t.loop("plain", false)
	Label("finish")
	c, ldc := GP64(), GP64()
	MOVQ(t.cHere, c)
	t.get("ldc", ldc)
	SHLQ(Imm(2), ldc)
	t.accumulate(c, ldc)
	t.finish(c, ldc)
	t.next(c, ldc)
	JNE(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

func (t *tile) get(field string, r reg.Register) { Load(t.args.Field(field), r) }

func (t *tile) base(field string) reg.Register {
	return Load(t.args.Field(field).Base(), GP64())
}

// load reads the arguments.
func (t *tile) load() {
	t.args = Dereference(Param("t"))
	tmp := GP64()
	for _, f := range []struct {
		name string
		to   *Mem
	}{
		{"a", &t.aHere}, {"b", &t.bHere}, {"c", &t.cHere}, {"add", &t.addHere},
		{"residual", &t.residualHere}, {"pack", &t.packHere},
	} {
		*f.to = AllocLocal(8)
		Load(t.args.Field(f.name).Base(), tmp)
		MOVQ(tmp, *f.to)
	}
	t.panelsLeft = AllocLocal(8)
	t.get("panels", tmp)
	MOVQ(tmp, t.panelsLeft)
	t.row, t.row3, t.step, t.bStep = GP64(), GP64(), GP64(), GP64()
	t.get("aRow", t.row)
	SHLQ(Imm(2), t.row)
	LEAQ(Mem{Base: t.row, Index: t.row, Scale: 2}, t.row3)
	t.get("aStep", t.step)
	SHLQ(Imm(2), t.step)
	t.get("bStep", t.bStep)
	SHLQ(Imm(2), t.bStep)
	t.a = [2]reg.Register{GP64(), GP64()}
	t.b, t.pack, t.n = GP64(), GP64(), GP64()
	t.lines = t.base("lines")
	t.left = Load(t.args.Field("lines").Len(), GP64())
	t.ahead = t.base("ahead")
	t.pace, t.count = t.address("pace"), GP64()
	XORL(t.count.As32(), t.count.As32())
}

// begin points at the panel's operands and clears its sums.
func (t *tile) begin() {
	MOVQ(t.aHere, t.a[0])
	if t.rows > 4 {
		LEAQ(Mem{Base: t.a[0], Index: t.row, Scale: 4}, t.a[1])
	}
	MOVQ(t.bHere, t.b)
	t.get("depth", t.n)
	for _, row := range t.acc {
		for _, r := range row {
			t.zero(r)
		}
	}
}

// loop adds all steps of the sum; a packing loop also copies the rows of B.
func (t *tile) loop(name string, packing bool) {
	SUBQ(Imm(gemmUnroll), t.n)
	JL(LabelRef(name + "Tail"))
	Label(name + "Loop")
	t.fetch(name)
	for range gemmUnroll {
		t.add(packing)
	}
	SUBQ(Imm(gemmUnroll), t.n)
	JGE(LabelRef(name + "Loop"))
	Label(name + "Tail")
	ADDQ(Imm(gemmUnroll), t.n)
	JE(LabelRef(name + "End"))
	Label(name + "Single")
	t.add(packing)
	DECQ(t.n)
	JNE(LabelRef(name + "Single"))
	Label(name + "End")
}

// fetch asks for the next cache lines of the list in a part of the turns: a
// count of them in units of 2**-32 overflows.
func (t *tile) fetch(name string) {
	ADDL(t.pace, t.count.As32())
	JCC(LabelRef(name + "Fetched"))
	SUBQ(Imm(fetchLines), t.left)
	JL(LabelRef(name + "Fetched"))
	at := GP64()
	for v := range fetchLines {
		MOVLQSX(Mem{Base: t.lines, Disp: v * 4}, at)
		PREFETCHT1(Mem{Base: t.ahead, Index: at, Scale: 4})
	}
	ADDQ(Imm(fetchLines*4), t.lines)
	Label(name + "Fetched")
}

// add adds one step of the sum: the outer product of a column of A and a row
// of B.
func (t *tile) add(packing bool) {
	var row []reg.VecVirtual
	for v := range t.vectors {
		r := t.reg()
		VMOVUPS(Mem{Base: t.b, Disp: v * t.lanes * 4}, r)
		row = append(row, r)
		if packing {
			VMOVUPS(r, Mem{Base: t.pack, Disp: v * t.lanes * 4})
		}
	}
	for i := range t.acc {
		x := t.reg()
		VBROADCASTSS(t.element(i), x)
		for v := range t.acc[i] {
			VFMADD231PS(row[v], x, t.acc[i][v])
		}
	}
	ADDQ(t.bStep, t.b)
	ADDQ(t.step, t.a[0])
	if t.rows > 4 {
		ADDQ(t.step, t.a[1])
	}
	if packing {
		ADDQ(Imm(uint64(t.width())), t.pack)
	}
}

// element returns the element of A in row i of the tile.
func (t *tile) element(i int) Mem {
	m := Mem{Base: t.a[i/4]}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = t.row, 1
	case 2:
		m.Index, m.Scale = t.row, 2
	case 3:
		m.Index, m.Scale = t.row3, 1
	}
	return m
}

// usePacked makes the panels that follow read the packed copy of B.
func (t *tile) usePacked() {
	from := GP64()
	MOVQ(t.packHere, from)
	MOVQ(from, t.bHere)
	MOVQ(U32(t.width()), t.bStep)
	XORQ(from, from)
	MOVQ(from, t.packHere)
}

// accumulate adds what C holds, if asked to.
func (t *tile) accumulate(c, ldc reg.Register) {
	flag := GP64()
	t.get("accumulate", flag)
	TESTQ(flag, flag)
	JE(LabelRef("finishing"))
	eachRow(t.isa, c, ldc, func(i int, row reg.Register) {
		for v := range t.acc[i] {
			VADDPS(Mem{Base: row, Disp: v * t.lanes * 4}, t.acc[i][v], t.acc[i][v])
		}
	})
	Label("finishing")
}

// finish scales the sums and adds numbers of the rows or the columns, and the
// residual, if asked to.
func (t *tile) finish(c, ldc reg.Register) {
	flag := GP64()
	t.get("finish", flag)
	TESTQ(flag, flag)
	JE(LabelRef("write"))
	scale := t.reg()
	VBROADCASTSS(t.address("scale"), scale)
	t.scaleAndAdd(scale)
	residual := GP64()
	MOVQ(t.residualHere, residual)
	TESTQ(residual, residual)
	JE(LabelRef("write"))
	eachRow(t.isa, residual, ldc, func(i int, row reg.Register) {
		for v := range t.acc[i] {
			VFMADD231PS(Mem{Base: row, Disp: v * t.lanes * 4}, scale, t.acc[i][v])
		}
	})
	for range t.rows / 4 {
		LEAQ(Mem{Base: residual, Index: ldc, Scale: 4}, residual)
	}
	MOVQ(residual, t.residualHere)
	Label("write")
}

// scaleAndAdd scales the sums and adds a number a row, or one a column, or
// nothing.
func (t *tile) scaleAndAdd(scale reg.VecVirtual) {
	add := GP64()
	MOVQ(t.addHere, add)
	TESTQ(add, add)
	JE(LabelRef("noAdd"))
	x := t.reg()
	for i, row := range t.acc {
		VBROADCASTSS(Mem{Base: add, Disp: i * 4}, x)
		for _, r := range row {
			VFMADD213PS(x, scale, r)
		}
	}
	ADDQ(Imm(uint64(t.rows*4)), add)
	MOVQ(add, t.addHere)
	JMP(LabelRef("added"))
	Label("noAdd")
	shift := t.base("shift")
	TESTQ(shift, shift)
	JE(LabelRef("noShift"))
	for v := range t.vectors {
		VMOVUPS(Mem{Base: shift, Disp: v * t.lanes * 4}, x)
		for _, row := range t.acc {
			VFMADD213PS(x, scale, row[v])
		}
	}
	JMP(LabelRef("added"))
	Label("noShift")
	for _, row := range t.acc {
		for _, r := range row {
			VMULPS(scale, r, r)
		}
	}
	Label("added")
}

// address returns the memory of a field.
func (t *tile) address(field string) Mem {
	b, err := t.args.Field(field).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// next writes the tile and moves on to the panel below; the zero flag tells
// that there is none.
func (t *tile) next(c, ldc reg.Register) {
	eachRow(t.isa, c, ldc, func(i int, row reg.Register) {
		for v := range t.acc[i] {
			VMOVUPS(t.acc[i][v], Mem{Base: row, Disp: v * t.lanes * 4})
		}
	})
	a := GP64()
	MOVQ(t.aHere, a)
	for range t.rows / 4 {
		LEAQ(Mem{Base: c, Index: ldc, Scale: 4}, c)
		LEAQ(Mem{Base: a, Index: t.row, Scale: 4}, a)
	}
	MOVQ(c, t.cHere)
	MOVQ(a, t.aHere)
	DECQ(t.panelsLeft)
}
