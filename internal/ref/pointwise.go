package ref

// SiLU writes x*sigmoid(x); y may alias x.
func SiLU[T Float](y, x []T) {
	for i, v := range x {
		y[i] = v * sigmoid(v)
	}
}

// SiLUGrad writes g times the slope of SiLU at x; dx may alias x or g.
func SiLUGrad[T Float](dx, x, g []T) {
	for i, v := range x {
		dx[i] = g[i] * siluSlope(v)
	}
}

// Add writes a+b; y may alias either.
func Add[T Float](y, a, b []T) {
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

// Scale writes f*x; y may alias x.
func Scale[T Float](y, x []T, f T) {
	for i, v := range x {
		y[i] = f * v
	}
}

// SampleScale writes v[n] * x[n,...]; each of the len(v) images has the same
// number of elements; y may alias x.
func SampleScale[T Float](y, x, v []T) {
	d := len(x) / len(v)
	for n, f := range v {
		Scale(y[n*d:(n+1)*d], x[n*d:(n+1)*d], f)
	}
}

// Combine writes a[n]*x[n,...] + b[n]*f[n,...]; y may alias x or f.
func Combine[T Float](y, x, f, a, b []T) {
	d := len(x) / len(a)
	for n := range a {
		for i := n * d; i < (n+1)*d; i++ {
			y[i] = a[n]*x[i] + b[n]*f[i]
		}
	}
}

// WeightedSquaredError writes w[n] * sum (d-y)^2 over each image to out [N]:
// the EDM loss before its mean over pixels (EDM Eq. 2 and 8).
func WeightedSquaredError[T Float](out, d, y, w []T) {
	size := len(d) / len(w)
	for n := range w {
		var sum float64
		for i := n * size; i < (n+1)*size; i++ {
			e := float64(d[i]) - float64(y[i])
			sum += e * e
		}
		out[n] = T(float64(w[n]) * sum)
	}
}

// WeightedSquaredErrorGrad writes 2 g[n] w[n] (d-y); dd may alias d or y.
func WeightedSquaredErrorGrad[T Float](dd, d, y, w, g []T) {
	size := len(d) / len(w)
	for n := range w {
		f := 2 * w[n] * g[n]
		for i := n * size; i < (n+1)*size; i++ {
			dd[i] = f * (d[i] - y[i])
		}
	}
}

// Concat writes a [N,ca,p] and b [N,cb,p] joined along channels; ca and cb
// count elements (channels times pixels) of one image.
func Concat[T Float](n, ca, cb int, y, a, b []T) {
	for i := range n {
		row := y[i*(ca+cb) : (i+1)*(ca+cb)]
		copy(row[:ca], a[i*ca:(i+1)*ca])
		copy(row[ca:], b[i*cb:(i+1)*cb])
	}
}

// Narrow copies elements [from, from+size) of each image of x, which has
// stride elements an image.
func Narrow[T Float](n, stride, from, size int, y, x []T) {
	for i := range n {
		copy(y[i*size:(i+1)*size], x[i*stride+from:])
	}
}

// Widen writes the transpose of Narrow: each image of y has stride elements, of
// which [from, from+size) are those of x and the others zero.
func Widen[T Float](n, stride, from, size int, y, x []T) {
	clear(y)
	for i := range n {
		copy(y[i*stride+from:], x[i*size:(i+1)*size])
	}
}
