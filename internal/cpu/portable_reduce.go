package cpu

// Reductions keep a few independent sums: shorter dependency chains, and a
// smaller rounding error than one long sum.

func sumGo(x []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(x) >= 4 {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		x = x[4:]
	}
	for _, v := range x {
		s0 += v
	}
	return (s0 + s2) + (s1 + s3)
}

func dotGo(x, y []float32) float32 {
	var s0, s1, s2, s3 float32
	y = y[:len(x)]
	for len(x) >= 4 && len(y) >= 4 {
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		s0 += v * y[i]
	}
	return (s0 + s2) + (s1 + s3)
}

func sumDevGo(x []float32, mean float32) float32 {
	var s0, s1 float32
	for len(x) >= 2 {
		d, e := x[0]-mean, x[1]-mean
		s0 += d * d
		s1 += e * e
		x = x[2:]
	}
	for _, v := range x {
		s0 += (v - mean) * (v - mean)
	}
	return s0 + s1
}

func sumSquaresGo(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

func normSumsGo(g, x []float32, r, s float32) (h, hx float32) {
	x = x[:len(g)]
	for i, v := range g {
		h += v
		hx += v * (r*x[i] + s)
	}
	return h, hx
}

func normSumsSiLUGo(dst, g, x []float32, a, b, r, s float32) (h, hx float32) {
	g, x = g[:len(dst)], x[:len(dst)]
	for i, v := range g {
		v *= siluSlopeGo(a*x[i] + b)
		h += v
		hx += v * (r*x[i] + s)
		dst[i] = v
	}
	return h, hx
}
