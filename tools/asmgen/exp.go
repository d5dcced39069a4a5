package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// expRound rounds what it is added to: float32 of its size are whole numbers,
// and the low eight bits of its own are the bias of an exponent.
const expRound = 3<<22 + 127

// exp emits e**x and returns the result in a new register.
//
// The argument is clamped so that the result is a normal number: 2**-126 to
// 2**127.5. NaN stays NaN. With n = round(x/ln 2), e**x = 2**n e**r for |r| <=
// ln(2)/2, and 1 + r + r**2 q(r) is within 4e-9 of e**r, q being the minimax
// polynomial of degree 4.
func exp(x reg.VecVirtual) reg.VecVirtual {
	c, n, t := like(x), like(x), like(x)
	clamp(x, c, n, constant("expMin", -87.33654), constant("expMax", 88.37626))
	VBROADCASTSS(constant("expRound", expRound), t)
	fma231.with(constant("log2e", math.Log2E), c, t)
	sub.with(constant("expRound", expRound), t, n)
	// ln 2 in two parts; the first has few bits, so n times it is exact.
	const high = 0.693359375
	fnma231.with(constant("ln2High", high), n, c)
	fnma231.with(constant("ln2Low", math.Ln2-high), n, c)
	p := n
	VBROADCASTSS(constant("exp6", 0.00138145406), p)
	fma213.with(constant("exp5", 0.00836874545), c, p)
	fma213.with(constant("exp4", 0.041668389), c, p)
	fma213.with(constant("exp3", 0.166665211), c, p)
	fma213.with(constant("exp2", 0.49999994), c, p)
	fma213.with(constant("one", 1), c, p)
	fma213.with(constant("one", 1), c, p)
	VPSLLD(Imm(23), t, t)
	VMULPS(t, p, p)
	return p
}

// clamp emits c = min(max(x, least), greatest) with the help of another
// register. MINPS and MAXPS return their second source when either is NaN.
func clamp(x, c, help reg.VecVirtual, least, greatest Mem) {
	VBROADCASTSS(greatest, c)
	VMINPS(x, c, c)
	VBROADCASTSS(least, help)
	VMAXPS(c, help, c)
}

// sigmoid emits 1/(1+e**-x). Its e**-x is that of exp, but within 4e-7: what it
// is added to hides more, so ln 2 has one part and the polynomial one degree
// less.
func sigmoid(x reg.VecVirtual) reg.VecVirtual {
	c, n, t := like(x), like(x), like(x)
	clamp(x, c, n, constant("minusExpMax", -88.37626), constant("minusExpMin", 87.33654))
	VBROADCASTSS(constant("expRound", expRound), t)
	fnma231.with(constant("log2e", math.Log2E), c, t)
	sub.with(constant("expRound", expRound), t, n)
	fma231.with(constant("ln2", math.Ln2), n, c) // -r
	p := n
	VBROADCASTSS(constant("sigmoid5", 0.00831250101), p)
	fnma213.with(constant("sigmoid4", 0.0418903306), c, p)
	fnma213.with(constant("sigmoid3", 0.166671157), c, p)
	fnma213.with(constant("sigmoid2", 0.499992311), c, p)
	fnma213.with(constant("one", 1), c, p)
	fnma213.with(constant("one", 1), c, p)
	VPSLLD(Imm(23), t, t)
	fma213.with(constant("one", 1), t, p)
	one := t
	VBROADCASTSS(constant("one", 1), one)
	VDIVPS(p, one, p)
	return p
}

// silu replaces x by x*sigmoid(x).
func silu(x reg.VecVirtual) {
	s := sigmoid(x)
	VMULPS(s, x, x)
}

// timesSiLUGrad replaces g by g*silu'(x), with silu'(x) = s + s (x - x s).
func timesSiLUGrad(g, x reg.VecVirtual) {
	s := sigmoid(x)
	VFNMADD213PS(x, s, x)
	VFMADD213PS(s, s, x)
	VMULPS(x, g, g)
}
