package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// exp emits e**x for eight lanes and returns the result in a new register.
//
// x is clamped so that the result is a normal number: 2**-126 to 2**127.5. NaN
// stays NaN. With n = round(x/ln 2), e**x = 2**n e**r for |r| <= ln(2)/2, and
// the Taylor polynomial of degree 7 is within 6e-9 of e**r. Adding 1.5*2**23
// rounds and leaves n in the low bits, which a shift moves to the exponent.
func exp(x reg.VecVirtual) reg.VecVirtual {
	c := YMM()
	// MINPS and MAXPS return their second source when either is NaN.
	VMOVUPS(constant("expMax", 88.37626), c)
	VMINPS(x, c, c)
	low := YMM()
	VMOVUPS(constant("expMin", -87.33654), low)
	VMAXPS(c, low, c)
	t, n := YMM(), low
	VMOVUPS(constant("expRound", 12582912), t)
	VFMADD231PS(constant("log2e", math.Log2E), c, t)
	VSUBPS(constant("expRound", 12582912), t, n)
	// ln 2 in two parts; the first has few bits, so n times it is exact.
	const high = 0.693359375
	VFNMADD231PS(constant("ln2High", high), n, c)
	VFNMADD231PS(constant("ln2Low", math.Ln2-high), n, c)
	p := n
	VMOVUPS(constant("exp7", 1.0/5040), p)
	VFMADD213PS(constant("exp6", 1.0/720), c, p)
	VFMADD213PS(constant("exp5", 1.0/120), c, p)
	VFMADD213PS(constant("exp4", 1.0/24), c, p)
	VFMADD213PS(constant("exp3", 1.0/6), c, p)
	VFMADD213PS(constant("exp2", 0.5), c, p)
	VFMADD213PS(constant("one", 1), c, p)
	VFMADD213PS(constant("one", 1), c, p)
	VPSLLD(Imm(23), t, t)
	VPADDD(constant("one", 1), t, t)
	VMULPS(t, p, p)
	return p
}

// sigmoid emits 1/(1+e**-x).
func sigmoid(x reg.VecVirtual) reg.VecVirtual {
	neg := YMM()
	VXORPS(bits("signBit", 0x80000000), x, neg)
	e := exp(neg)
	VADDPS(constant("one", 1), e, e)
	one := YMM()
	VMOVUPS(constant("one", 1), one)
	VDIVPS(e, one, e)
	return e
}

// silu replaces x by x*sigmoid(x).
func silu(x reg.VecVirtual) {
	s := sigmoid(x)
	VMULPS(s, x, x)
}

// timesSiLUGrad replaces g by g*silu'(x), with silu'(x) = s + x s (1-s).
func timesSiLUGrad(g, x reg.VecVirtual) {
	s := sigmoid(x)
	d := YMM()
	VMOVUPS(constant("one", 1), d)
	VSUBPS(s, d, d)
	VMULPS(s, d, d)
	VFMADD213PS(s, x, d)
	VMULPS(d, g, g)
}
