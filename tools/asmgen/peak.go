package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peakKernels write the loops that measure what the multiply-add units can do.
func peakKernels() {
	fmaLoop(avx2, 12)
	fmaLoop(avx512, 24)
}

// fmaLoop writes a loop of independent chains of fused multiply-adds that
// touches no memory. Two units that take four cycles each are busy with eight
// chains; more hide the loop's own instructions.
func fmaLoop(s isa, chains int) {
	name := "fmaLoop" + s.name
	TEXT(name, NOSPLIT, "func(turns int, x, y float32) float32")
	Doc(fmt.Sprintf("%s computes a = a*x + y from a = 0 in %d chains of %d lanes, a number of turns above 0, and returns the sum of the first lanes.",
		name, chains, s.lanes))
	turns := Load(Param("turns"), GP64())
	x, y := broadcastParam(s, "x"), broadcastParam(s, "y")
	var acc []reg.VecVirtual
	for range chains {
		a := s.reg()
		s.zero(a)
		acc = append(acc, a)
	}
	Label("turn")
	for _, a := range acc {
		VFMADD213PS(y, x, a)
	}
	DECQ(turns)
	JNE(LabelRef("turn"))
	for _, a := range acc[1:] {
		VADDPS(a, acc[0], acc[0])
	}
	VZEROUPPER()
	Store(acc[0].AsX(), ReturnIndex(0))
	RET()
}

// broadcastParam returns a register with a parameter in every lane.
func broadcastParam(s isa, name string) reg.VecVirtual {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := s.reg()
	VBROADCASTSS(at.Addr, v)
	return v
}
