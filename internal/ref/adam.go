package ref

import "math"

// Update is one step of Adam (Kingma & Ba 2015, Alg. 1) and of the weight
// average that follows it.
type Update struct {
	LR, Beta1, Beta2, Eps float64
	Step                  int64   // 1 for the first
	GradScale             float64 // gradients are multiplied by it first
	EMABeta               float64 // weight of the old average
}

// Adam advances weights w, their moments m and v, and their average ema by one
// step along gradient g:
//
//	m = b1 m + (1-b1) g        v = b2 v + (1-b2) g^2
//	w = w - lr m^ / (sqrt(v^) + eps)      with bias-corrected m^ and v^
//	ema = w + beta (ema - w)
func Adam[T Float](u Update, w, ema, m, v, g []T) {
	c1 := 1 - math.Pow(u.Beta1, float64(u.Step))
	c2 := 1 - math.Pow(u.Beta2, float64(u.Step))
	b1, b2, rest1, rest2 := T(u.Beta1), T(u.Beta2), T(1-u.Beta1), T(1-u.Beta2)
	step, root, eps := T(u.LR/c1), T(1/math.Sqrt(c2)), T(u.Eps)
	scale, beta := T(u.GradScale), T(u.EMABeta)
	for i := range w {
		d := scale * g[i]
		m[i] = b1*m[i] + rest1*d
		v[i] = b2*v[i] + rest2*d*d
		w[i] -= step * m[i] / (sqrt(v[i])*root + eps)
		ema[i] = w[i] + beta*(ema[i]-w[i])
	}
}

// SumSquares returns the sum of squares of x in float64.
func SumSquares[T Float](x []T) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
