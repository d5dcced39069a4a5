package ref

// Linear writes y = scale * x w^T + bias for x [n,in], w [out,in], y [n,out];
// bias [out] may be nil.
func Linear[T Float](n, in, out int, y, x, w, bias []T, scale T) {
	for i := range n {
		row := x[i*in : (i+1)*in]
		for o := range out {
			v := dot(row, w[o*in:(o+1)*in]) * scale
			if bias != nil {
				v += bias[o]
			}
			y[i*out+o] = v
		}
	}
}

// LinearData writes dx = scale * g w for g [n,out].
func LinearData[T Float](n, in, out int, dx, g, w []T, scale T) {
	clear(dx)
	for i := range n {
		row := dx[i*in : (i+1)*in]
		for o := range out {
			axpy(g[i*out+o], w[o*in:(o+1)*in], row)
		}
		for j := range row {
			row[j] *= scale
		}
	}
}

// LinearWeights writes dw = scale * g^T x, summed over the batch.
func LinearWeights[T Float](n, in, out int, dw, x, g []T, scale T) {
	clear(dw)
	for o := range out {
		row := dw[o*in : (o+1)*in]
		for i := range n {
			axpy(g[i*out+o], x[i*in:(i+1)*in], row)
		}
		for j := range row {
			row[j] *= scale
		}
	}
}

// SumHW writes scale * the sum over pixels of every feature map: out [N,C].
func SumHW[T Float](s Image, out, x []T, scale T) {
	for nc := range s.N * s.C {
		var sum float64
		for _, v := range x[nc*s.Pixels() : (nc+1)*s.Pixels()] {
			sum += float64(v)
		}
		out[nc] = T(sum) * scale
	}
}

// SumN writes the sum over the batch of x [n,c] to out [c].
func SumN[T Float](n, c int, out, x []T) {
	for j := range c {
		var sum float64
		for i := range n {
			sum += float64(x[i*c+j])
		}
		out[j] = T(sum)
	}
}
