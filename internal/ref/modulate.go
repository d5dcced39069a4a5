package ref

// Modulate writes v[c]*(1+m[n,c]) to y [n,c], plus m[n,C+c] with shift; m is
// [n,2c].
func Modulate[T Float](n, c int, shift bool, y, v, m []T) {
	for i := range n {
		scales, shifts := m[2*i*c:(2*i+1)*c], m[(2*i+1)*c:(2*i+2)*c]
		for j, s := range scales {
			z := v[j] + v[j]*s
			if shift {
				z += shifts[j]
			}
			y[i*c+j] = z
		}
	}
}

// ModulateParam writes the gradient by v, summed over the batch: dv [c] from g
// [n,c].
func ModulateParam[T Float](n, c int, dv, g, m []T) {
	for j := range dv {
		var sum float64
		for i := range n {
			sum += float64(g[i*c+j]) * (1 + float64(m[2*i*c+j]))
		}
		dv[j] = T(sum)
	}
}

// ModulateData writes the gradient by m: dm [n,2c] from g [n,c].
func ModulateData[T Float](n, c int, shift bool, dm, g, v []T) {
	clear(dm)
	for i := range n {
		row := g[i*c : (i+1)*c]
		for j, d := range row {
			dm[2*i*c+j] = d * v[j]
		}
		if shift {
			copy(dm[(2*i+1)*c:], row)
		}
	}
}
