package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// normGrad is a part of the gradient of a group normalisation, computed a group
// at a time. Its inputs begin with g, x, stats, gamma and beta. h, the gradient
// before the activation, is made in scratch memory that the cache holds.
type normGrad struct {
	*mapped
	normShape
	silu    bool
	scratch [][]float32 // h of a group, by worker
}

// newNormGrad returns a kernel that calls f for every group.
func newNormGrad(b *Backend, x []int, groups int, silu, perImage bool, f func(r *normGrad, group, worker int)) *normGrad {
	r := &normGrad{normShape: newNormShape(x, groups, perImage), silu: silu}
	if silu {
		r.scratch = make([][]float32, b.pool.Threads())
		for i := range r.scratch {
			r.scratch[i] = make([]float32, r.size())
		}
	}
	r.mapped = perItemWorker(b, r.groups(), r.size(), func(_ *mapped, group, worker int) { f(r, group, worker) })
	return r
}

// newGNSums returns the kernel of op.GNSums.
func newGNSums(b *Backend, s op.GNSums, c engine.Call) *normGrad {
	return newNormGrad(b, c.In[1], s.Groups, s.SiLU, s.PerImage, func(r *normGrad, group, worker int) {
		r.slopes(group, worker, r.out())
	})
}

// newGNData returns the kernel of op.GNData.
func newGNData(b *Backend, s op.GNData, c engine.Call) *normGrad {
	return newNormGrad(b, c.Out, s.Groups, s.SiLU, s.PerImage, func(r *normGrad, group, worker int) {
		r.data(group, r.slopes(group, worker, nil))
	})
}

// newGNSumsData is GNSums followed by GNData, so that h is computed and memory
// read once. It writes the sums to GNData's input.
func newGNSumsData(b *Backend, s op.GNData, c engine.Call) *normGrad {
	return newNormGrad(b, c.Out, s.Groups, s.SiLU, s.PerImage, func(r *normGrad, group, worker int) {
		r.data(group, r.slopes(group, worker, r.in(5)))
	})
}

// slopes returns h of a group and writes each map's sums of h and of h*xhat to
// sums [N,C,2], unless that is nil.
func (r *normGrad) slopes(group, worker int, sums []float32) []float32 {
	n, size := r.at(group, r.in(2), r.in(3), r.in(4)), r.size()
	g, x := r.in(0)[group*size:(group+1)*size], r.in(1)[group*size:(group+1)*size]
	h := g
	if r.silu {
		h = r.scratch[worker]
	}
	for j := range r.group {
		var total, totalDot float64
		scale, offset := n.affine(j)
		for at := j * r.pixels; at < (j+1)*r.pixels; at += sumFloats {
			end := min(at+sumFloats, (j+1)*r.pixels)
			var sum, dot float32
			if r.silu {
				sum, dot = r.b.k.normSumsSiLU(h[at:end], g[at:end], x[at:end], scale, offset, n.rstd, n.shift)
			} else if sums != nil {
				sum, dot = r.b.k.normSums(g[at:end], x[at:end], n.rstd, n.shift)
			}
			total, totalDot = total+float64(sum), totalDot+float64(dot)
		}
		if sums != nil {
			sums[2*(n.first+j)], sums[2*(n.first+j)+1] = float32(total), float32(totalDot)
		}
	}
	return h
}

// data computes dx = rstd*(gamma*h - mean(gamma*h) - xhat*mean(gamma*h*xhat))
// of a group, over which the means are, from h and the sums.
func (r *normGrad) data(group int, h []float32) {
	n := r.at(group, r.in(2), r.in(3), r.in(4))
	sums := r.in(5)[2*n.first:]
	var total, totalDot float64
	for j, gamma := range n.gamma {
		total += float64(gamma) * float64(sums[2*j])
		totalDot += float64(gamma) * float64(sums[2*j+1])
	}
	perMean := 1 / float32(r.size())
	mean, meanDot := float32(total)*perMean, float32(totalDot)*perMean
	cx := -n.rstd * n.rstd * meanDot
	c := -n.rstd * (mean + n.shift*meanDot)
	x, dx := r.in(1)[group*r.size():], r.out()[group*r.size():]
	for j, gamma := range n.gamma {
		from, to := j*r.pixels, (j+1)*r.pixels
		r.b.k.axpby(dx[from:to], h[from:to], x[from:to], gamma*n.rstd, cx, c)
	}
}
