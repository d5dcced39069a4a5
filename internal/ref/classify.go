package ref

import "math"

// SpreadHW writes scale * g[n,c] to every pixel of every feature map of x: the
// transpose of SumHW.
func SpreadHW[T Float](s Image, x, g []T, scale T) {
	p := s.Pixels()
	for nc, v := range g[:s.N*s.C] {
		for i := nc * p; i < (nc+1)*p; i++ {
			x[i] = scale * v
		}
	}
}

// CrossEntropy writes -sum_k t[n,k] ln softmax(z[n])_k to out [n], for z and t
// [n,k].
func CrossEntropy[T Float](n, k int, out, z, t []T) {
	for i := range n {
		row := z[i*k : (i+1)*k]
		lse := logSumExp(row)
		var sum float64
		for j, v := range row {
			sum += float64(t[i*k+j]) * (lse - float64(v))
		}
		out[i] = T(sum)
	}
}

// CrossEntropyGrad writes the gradient of sum(g * CrossEntropy) by z: g[n]
// (softmax(z[n]) sum(t[n]) - t[n]); dz may alias z or t.
func CrossEntropyGrad[T Float](n, k int, dz, z, t, g []T) {
	for i := range n {
		row, target := z[i*k:(i+1)*k], t[i*k:(i+1)*k]
		lse := logSumExp(row)
		var total float64
		for _, v := range target {
			total += float64(v)
		}
		for j, v := range row {
			dz[i*k+j] = g[i] * T(math.Exp(float64(v)-lse)*total-float64(target[j]))
		}
	}
}

// logSumExp returns ln sum exp(z) without overflow.
func logSumExp[T Float](z []T) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = max(top, float64(v))
	}
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
