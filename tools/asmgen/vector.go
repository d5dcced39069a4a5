package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// constants are 32-byte broadcast float32 (or their bits) in read-only data.
var constants = map[string]Mem{}

// constant returns a memory operand that holds v in all eight lanes.
func constant(name string, v float32) Mem { return bits(name, math.Float32bits(v)) }

// bits is constant for a raw pattern.
func bits(name string, v uint32) Mem {
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 8 {
		DATA(i*4, U32(v))
	}
	constants[name] = m
	return m
}

// tailMask returns the table from which loading at 4*(8-rem) gives a mask of
// rem lanes.
func tailMask() Mem {
	if m, ok := constants["tailMask"]; ok {
		return m
	}
	m := GLOBL("tailMask", RODATA|NOPTR)
	for i := range 16 {
		v := uint32(0)
		if i < 8 {
			v = 0xffffffff
		}
		DATA(i*4, U32(v))
	}
	constants["tailMask"] = m
	return m
}

// scalar broadcasts a float32 parameter.
func scalar(name string) reg.VecVirtual {
	addr, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := YMM()
	VBROADCASTSS(addr.Addr, v)
	return v
}

// loop walks float32 slices in step, eight lanes at a time with a masked tail.
type loop struct {
	base  map[string]reg.Register
	index reg.GPVirtual
	mask  reg.VecVirtual // of the tail; nil in the main loop
	disp  int
}

// load returns eight elements of the named slice; absent lanes are zero.
func (l *loop) load(name string) reg.VecVirtual {
	v := YMM()
	m := Mem{Base: l.base[name], Index: l.index, Scale: 4, Disp: l.disp}
	if l.mask != nil {
		VMASKMOVPS(m, l.mask, v)
	} else {
		VMOVUPS(m, v)
	}
	return v
}

// store writes eight elements of the named slice; absent lanes are kept.
func (l *loop) store(name string, v reg.VecVirtual) {
	m := Mem{Base: l.base[name], Index: l.index, Scale: 4, Disp: l.disp}
	if l.mask != nil {
		VMASKMOVPS(v, l.mask, m)
	} else {
		VMOVUPS(v, m)
	}
}

// forEach emits body over the first slice's length: unroll vectors a turn,
// then single vectors, then the masked rest. body is given the position in the
// unrolled turn, so that reductions can keep independent sums.
func forEach(slices []string, unroll int, body func(l *loop, u int)) {
	l := &loop{base: map[string]reg.Register{}, index: GP64()}
	for _, s := range slices {
		l.base[s] = Load(Param(s).Base(), GP64())
	}
	n := Load(Param(slices[0]).Len(), GP64())
	XORQ(l.index, l.index)
	if unroll > 1 {
		SUBQ(Imm(uint64(8*unroll)), n)
		JL(LabelRef("few"))
		Label("loop")
		for u := range unroll {
			l.disp = u * 32
			body(l, u)
		}
		l.disp = 0
		ADDQ(Imm(uint64(8*unroll)), l.index)
		SUBQ(Imm(uint64(8*unroll)), n)
		JGE(LabelRef("loop"))
		Label("few")
		ADDQ(Imm(uint64(8*unroll)), n)
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
	table, at := GP64(), GP64()
	LEAQ(tailMask(), table)
	MOVQ(U32(8), at)
	SUBQ(n, at)
	l.mask = YMM()
	VMOVUPS(Mem{Base: table, Index: at, Scale: 4}, l.mask)
	body(l, 0)
	Label("end")
}

// finish ends a function.
func finish() {
	VZEROUPPER()
	RET()
}
