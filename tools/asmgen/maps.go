package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// mapTurn is the number of elements in a turn of an elementwise loop.
const mapTurn = 32

// mapKernels writes the elementwise kernels. dst may be any of the inputs.
func mapKernels(s isa) {
	affineMaps(s)
	siluMaps(s)

	function(s, "expAffine", "(dst, x []float32, a, b float32)", "sets dst = e**(a*x + b).")
	a, b := scalar(s, "a"), scalar(s, "b")
	forEach(s, []string{"dst", "x"}, mapTurn, nil, func(l *loop, _ int) {
		x := l.load("x")
		VFMADD213PS(fit(b, x), fit(a, x), x)
		l.store("dst", exp(x))
	})
	finish()
}

// affineMaps writes the maps that are linear in each operand.
func affineMaps(s isa) {
	function(s, "axpby", "(dst, x, y []float32, a, b, c float32)", "sets dst = a*x + b*y + c.")
	a, b, c := scalar(s, "a"), scalar(s, "b"), scalar(s, "c")
	forEach(s, []string{"dst", "x", "y"}, mapTurn, nil, func(l *loop, _ int) {
		x, y := l.load("x"), l.load("y")
		VFMADD213PS(fit(c, y), fit(b, y), y)
		VFMADD231PS(fit(a, x), x, y)
		l.store("dst", y)
	})
	finish()

	function(s, "affine", "(dst, x []float32, a, b float32)", "sets dst = a*x + b.")
	a, b = scalar(s, "a"), scalar(s, "b")
	forEach(s, []string{"dst", "x"}, mapTurn, nil, func(l *loop, _ int) {
		x := l.load("x")
		VFMADD213PS(fit(b, x), fit(a, x), x)
		l.store("dst", x)
	})
	finish()

	function(s, "mul", "(dst, x, y []float32, a float32)", "sets dst = a*x*y.")
	a = scalar(s, "a")
	forEach(s, []string{"dst", "x", "y"}, mapTurn, nil, func(l *loop, _ int) {
		x := l.load("x")
		VMULPS(fit(a, x), x, x)
		VMULPS(l.load("y"), x, x)
		l.store("dst", x)
	})
	finish()

	function(s, "mulAdd", "(dst, x, y []float32)", "adds x*y to dst.")
	forEach(s, []string{"dst", "x", "y"}, mapTurn, nil, func(l *loop, _ int) {
		x, y, d := l.load("x"), l.load("y"), l.load("dst")
		VFMADD231PS(x, y, d)
		l.store("dst", d)
	})
	finish()
}

func siluMaps(s isa) {
	function(s, "affineSiLU", "(dst, x []float32, a, b float32)", "sets dst = silu(a*x + b).")
	a, b := scalar(s, "a"), scalar(s, "b")
	forEach(s, []string{"dst", "x"}, mapTurn, nil, func(l *loop, _ int) {
		x := l.load("x")
		VFMADD213PS(fit(b, x), fit(a, x), x)
		silu(x)
		l.store("dst", x)
	})
	finish()

	function(s, "siluGrad", "(dst, x, g []float32)", "sets dst = g*silu'(x).")
	forEach(s, []string{"dst", "x", "g"}, mapTurn, nil, func(l *loop, _ int) {
		x, g := l.load("x"), l.load("g")
		timesSiLUGrad(g, x)
		l.store("dst", g)
	})
	finish()
}
