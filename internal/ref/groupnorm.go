package ref

// Norm is the geometry of a group normalisation over Groups groups of C/Groups
// channels, optionally followed by SiLU. Its gamma and beta are [C], or [N,C]
// with PerImage.
type Norm struct {
	Image
	Groups         int
	SiLU, PerImage bool
}

func (s Norm) perGroup() int { return s.C / s.Groups }

// NormStats writes (mean, 1/sqrt(variance+eps)) of each group: stats
// [N,Groups,2]. The variance is the biased one, from a second pass.
func NormStats[T Float](s Norm, stats, x []T, eps float64) {
	size := s.perGroup() * s.Pixels()
	for i := range s.N * s.Groups {
		group := x[i*size : (i+1)*size]
		var sum, squares float64
		for _, v := range group {
			sum += float64(v)
		}
		mean := sum / float64(size)
		for _, v := range group {
			d := float64(v) - mean
			squares += d * d
		}
		stats[2*i] = T(mean)
		stats[2*i+1] = T(1 / sqrt(squares/float64(size)+eps))
	}
}

// each calls f for every feature map with the index of its (n, c), that of its
// gamma and beta, and its group's mean and reciprocal deviation.
func each[T Float](s Norm, stats []T, f func(nc, c int, mean, rstd T)) {
	for nc := range s.N * s.C {
		c := nc % s.C
		i := nc/s.C*s.Groups + c/s.perGroup()
		if s.PerImage {
			c = nc
		}
		f(nc, c, stats[2*i], stats[2*i+1])
	}
}

// NormApply writes z = gamma (x-mean) rstd + beta, then SiLU(z) if asked;
// y may alias x.
func NormApply[T Float](s Norm, y, x, stats, gamma, beta []T) {
	each(s, stats, func(nc, c int, mean, rstd T) {
		p := s.Pixels()
		for i := nc * p; i < (nc+1)*p; i++ {
			z := (x[i]-mean)*rstd*gamma[c] + beta[c]
			if s.SiLU {
				z *= sigmoid(z)
			}
			y[i] = z
		}
	})
}

// slope returns g times the slope of the activation at normalised value h.
func slope[T Float](s Norm, g, h, gamma, beta T) T {
	if !s.SiLU {
		return g
	}
	return g * siluSlope(h*gamma+beta)
}

// NormSums writes, for each (n, c), the sums over pixels of d and d*xhat, where
// d is the gradient before the affine map and xhat the normalised input: sums
// [N,C,2].
func NormSums[T Float](s Norm, sums, g, x, stats, gamma, beta []T) {
	each(s, stats, func(nc, c int, mean, rstd T) {
		p := s.Pixels()
		var sum, dot float64
		for i := nc * p; i < (nc+1)*p; i++ {
			h := (x[i] - mean) * rstd
			d := slope(s, g[i], h, gamma[c], beta[c])
			sum += float64(d)
			dot += float64(d) * float64(h)
		}
		sums[2*nc], sums[2*nc+1] = T(sum), T(dot)
	})
}

// NormData writes the gradient by x; dx may alias g or x.
func NormData[T Float](s Norm, dx, g, x, stats, gamma, beta, sums []T) {
	p, cg := s.Pixels(), s.perGroup()
	m := float64(cg * p)
	each(s, stats, func(nc, c int, mean, rstd T) {
		first := nc - c%cg // the group's first feature map
		var sum, dot float64
		for j := range cg {
			w := float64(gamma[c-c%cg+j])
			sum += w * float64(sums[2*(first+j)])
			dot += w * float64(sums[2*(first+j)+1])
		}
		a, b := T(sum/m), T(dot/m)
		for i := nc * p; i < (nc+1)*p; i++ {
			h := (x[i] - mean) * rstd
			d := slope(s, g[i], h, gamma[c], beta[c])
			dx[i] = rstd * (gamma[c]*d - a - h*b)
		}
	})
}

// NormParam writes the gradient by beta (which = 0) or gamma (which = 1): the
// sum over the batch of one half of sums.
func NormParam[T Float](n, c, which int, out, sums []T) {
	for j := range c {
		var sum float64
		for i := range n {
			sum += float64(sums[2*(i*c+j)+which])
		}
		out[j] = T(sum)
	}
}
