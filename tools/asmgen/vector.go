package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vectorKernels writes the kernels that are bound by memory, for both vector
// widths where the wider one is faster. The two give equal bits: an element is
// the same chain of operations, and a reduction has the same partial sums, added
// in the same order.
func vectorKernels() {
	for _, s := range []isa{avx2, avx512} {
		mapKernels(s)
		reduceKernels(s)
		groupNormKernels(s)
		colExpSum(s)
		dropoutKernel(s)
	}
	colMax(avx2)
	sumSquares(avx2)
	adamKernel(avx2)
	resampleKernels()
	packKernels()
}

// function begins the kernel name of an instruction set. does completes the
// sentence that its name begins.
func function(s isa, name, signature, does string) {
	TEXT(name+s.name, NOSPLIT, "func"+signature)
	Doc(name + s.name + " " + does)
}

// finish ends a function.
func finish() {
	VZEROUPPER()
	RET()
}

// constants are float32 (or their bits) in every lane of 32 bytes of read-only
// data. Instructions on zmm registers broadcast the first lane: the linker aligns
// data to 32 bytes, and 64 would cross cache lines.
var constants = map[string]Mem{}

// constant returns a memory operand that holds v.
func constant(name string, v float32) Mem { return bits(name, math.Float32bits(v)) }

// bits is constant for a raw pattern.
func bits(name string, v uint32) Mem {
	words := make([]uint32, 8)
	for i := range words {
		words[i] = v
	}
	return table(name, words)
}

// table returns read-only words.
func table(name string, words []uint32) Mem {
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range words {
		DATA(i*4, U32(v))
	}
	constants[name] = m
	return m
}

// like returns a new register as wide as v.
func like(v reg.VecVirtual) reg.VecVirtual {
	if v.Size() == 64 {
		return ZMM()
	}
	return YMM()
}

// constantOp is an instruction whose first operand is a constant in memory.
type constantOp struct{ ymm, zmm func(...Op) }

// The instructions that take constants.
var (
	fma213  = constantOp{VFMADD213PS, VFMADD213PS_BCST}
	fma231  = constantOp{VFMADD231PS, VFMADD231PS_BCST}
	fnma213 = constantOp{VFNMADD213PS, VFNMADD213PS_BCST}
	fnma231 = constantOp{VFNMADD231PS, VFNMADD231PS_BCST}
	sub     = constantOp{VSUBPS, VSUBPS_BCST}
)

// with emits the instruction on registers of one width.
func (o constantOp) with(m Mem, a, b reg.VecVirtual) {
	if b.Size() == 64 {
		o.zmm(m, a, b)
		return
	}
	o.ymm(m, a, b)
}

// fit returns the part of v that is as wide as to.
func fit(v, to reg.VecVirtual) reg.Register {
	if to.Size() == 64 {
		return v
	}
	return v.AsY()
}

// scalar broadcasts a parameter of four bytes.
func scalar(s isa, name string) reg.VecVirtual {
	addr, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := s.reg()
	VBROADCASTSS(addr.Addr, v)
	return v
}

// loop walks float32 slices in step: turns of whole vectors of the instruction
// set, then ymm vectors, then the masked rest.
type loop struct {
	base  map[string]reg.Register
	index reg.GPVirtual
	reg   func() reg.VecVirtual
	mask  reg.VecVirtual // of the tail; nil before it
	disp  int
}

// load returns the next elements of the named slice; absent lanes are zero.
func (l *loop) load(name string) reg.VecVirtual {
	v := l.reg()
	m := Mem{Base: l.base[name], Index: l.index, Scale: 4, Disp: l.disp}
	if l.mask != nil {
		VMASKMOVPS(m, l.mask, v)
	} else {
		VMOVUPS(m, v)
	}
	return v
}

// store writes the next elements of the named slice; absent lanes are kept.
func (l *loop) store(name string, v reg.VecVirtual) {
	m := Mem{Base: l.base[name], Index: l.index, Scale: 4, Disp: l.disp}
	if l.mask != nil {
		VMASKMOVPS(v, l.mask, m)
	} else {
		VMOVUPS(v, m)
	}
}

// forEach emits body over the first slice's length, turn elements a turn. body
// is given the number of its vector in the turn, or 0 after the last turn;
// sums, which may be nil, are narrowed between the two.
func forEach(s isa, slices []string, turn int, sums []*partials, body func(l *loop, u int)) {
	l := &loop{base: map[string]reg.Register{}, index: GP64(), reg: s.reg}
	for _, name := range slices {
		l.base[name] = Load(Param(name).Base(), GP64())
	}
	n := Load(Param(slices[0]).Len(), GP64())
	XORQ(l.index, l.index)
	SUBQ(Imm(uint64(turn)), n)
	JL(LabelRef("few"))
	Label("loop")
	for u := range turn / s.lanes {
		l.disp = u * s.lanes * 4
		body(l, u)
	}
	l.disp = 0
	ADDQ(Imm(uint64(turn)), l.index)
	SUBQ(Imm(uint64(turn)), n)
	JGE(LabelRef("loop"))
	Label("few")
	ADDQ(Imm(uint64(turn)), n)
	l.reg = YMM
	for _, p := range sums {
		p.narrow()
	}
	SUBQ(Imm(8), n)
	JL(LabelRef("tail"))
	Label("single")
	body(l, 0)
	ADDQ(Imm(8), l.index)
	SUBQ(Imm(8), n)
	JGE(LabelRef("single"))
	Label("tail")
	ADDQ(Imm(8), n)
	JE(LabelRef("end"))
	l.mask = tailMask(n)
	body(l, 0)
	Label("end")
}

// tailMask returns a mask of the first n < 8 lanes.
func tailMask(n reg.Register) reg.VecVirtual {
	words := make([]uint32, 16)
	for i := range 8 {
		words[i] = 0xffffffff
	}
	base, at, mask := GP64(), GP64(), YMM()
	LEAQ(table("tailMask", words), base)
	MOVQ(U32(8), at)
	SUBQ(n, at)
	VMOVUPS(Mem{Base: base, Index: at, Scale: 4}, mask)
	return mask
}
