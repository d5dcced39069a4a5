package cpu

import (
	"math"

	"edm/internal/engine"
	"edm/internal/op"
)

// sumFloats is how many elements a float32 reduction takes before its result
// joins a float64 sum.
const sumFloats = 4096

// sum64 returns the sum of x.
func (k *kernels) sum64(x []float32) float64 {
	var total float64
	for len(x) > 0 {
		n := min(len(x), sumFloats)
		total += float64(k.sum(x[:n]))
		x = x[n:]
	}
	return total
}

// newGNStats computes mean and reciprocal deviation, a group at a time, in two
// passes over what is then in the cache.
func newGNStats(b *Backend, s op.GNStats, c engine.Call) *mapped {
	x := c.In[0]
	size := x[1] / s.Groups * x[2] * x[3]
	return perItem(b, x[0]*s.Groups, size, func(m *mapped, i int) {
		group := m.in(0)[i*size : (i+1)*size]
		mean := b.k.sum64(group) / float64(size)
		var squares float64
		for rest := group; len(rest) > 0; {
			n := min(len(rest), sumFloats)
			squares += float64(b.k.sumDev(rest[:n], float32(mean)))
			rest = rest[n:]
		}
		m.out()[2*i] = float32(mean)
		m.out()[2*i+1] = float32(1 / math.Sqrt(squares/float64(size)+s.Eps))
	})
}

// normChannel is one feature map of a group normalisation.
type normChannel struct {
	nc, c          int     // its number and that of its gamma and beta
	from, to       int     // its elements
	rstd, shift    float32 // xhat = rstd*x + shift
	scale, offset  float32 // z = scale*x + offset
	gamma, perMean float32 // perMean: 1/(elements of the group)
}

// perChannel returns a kernel that calls f for each feature map; stats is the
// index of the statistics among the inputs, which gamma and beta follow.
func perChannel(b *Backend, x []int, groups, stats int, perImage bool, f func(m *mapped, ch normChannel)) *mapped {
	channels, size, cg := x[1], x[2]*x[3], x[1]/groups
	return perItem(b, x[0]*channels, size, func(m *mapped, i int) {
		ch := normChannel{nc: i, c: i, from: i * size, to: (i + 1) * size}
		if !perImage {
			ch.c %= channels
		}
		mean := m.in(stats)[2*(i/cg)] // groups are numbered as channels are
		ch.rstd = m.in(stats)[2*(i/cg)+1]
		ch.shift = -mean * ch.rstd
		ch.gamma = m.in(stats + 1)[ch.c]
		ch.scale = ch.gamma * ch.rstd
		ch.offset = m.in(stats + 2)[ch.c] - mean*ch.scale
		ch.perMean = 1 / float32(cg*size)
		f(m, ch)
	})
}

func newGNApply(b *Backend, s op.GNApply, c engine.Call) *mapped {
	apply := b.k.affine
	if s.SiLU {
		apply = b.k.affineSiLU
	}
	return perChannel(b, c.Out, s.Groups, 1, s.PerImage, func(m *mapped, ch normChannel) {
		apply(m.out()[ch.from:ch.to], m.in(0)[ch.from:ch.to], ch.scale, ch.offset)
	})
}

func newGNSums(b *Backend, s op.GNSums, c engine.Call) *mapped {
	sums := b.k.normSums
	if s.SiLU {
		sums = b.k.normSumsSiLU
	}
	return perChannel(b, c.In[1], s.Groups, 2, s.PerImage, func(m *mapped, ch normChannel) {
		var h, hx float64
		for at := ch.from; at < ch.to; at += sumFloats {
			end := min(at+sumFloats, ch.to)
			p, q := sums(m.in(0)[at:end], m.in(1)[at:end], ch.scale, ch.offset, ch.rstd, ch.shift)
			h, hx = h+float64(p), hx+float64(q)
		}
		m.out()[2*ch.nc], m.out()[2*ch.nc+1] = float32(h), float32(hx)
	})
}

// newGNData computes dx = rstd*(gamma*h - mean(gamma*h) - xhat*mean(gamma*h*
// xhat)), the means being over the group.
func newGNData(b *Backend, s op.GNData, c engine.Call) *mapped {
	grad := b.k.normGrad
	if s.SiLU {
		grad = b.k.normGradSiLU
	}
	cg := c.Out[1] / s.Groups
	return perChannel(b, c.Out, s.Groups, 2, s.PerImage, func(m *mapped, ch normChannel) {
		gamma, sums := m.in(3), m.in(5)
		place := ch.nc % cg // in the group
		var h, hx float64
		for j := range cg {
			w := float64(gamma[ch.c-place+j])
			h += w * float64(sums[2*(ch.nc-place+j)])
			hx += w * float64(sums[2*(ch.nc-place+j)+1])
		}
		meanH, meanHX := float32(h)*ch.perMean, float32(hx)*ch.perMean
		cx := -ch.rstd * ch.rstd * meanHX
		c0 := -ch.rstd * (meanH + ch.shift*meanHX)
		grad(m.out()[ch.from:ch.to], m.in(0)[ch.from:ch.to], m.in(1)[ch.from:ch.to],
			ch.scale, ch.offset, ch.scale, cx, c0)
	})
}
