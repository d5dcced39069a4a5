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

// moments writes the mean of x and its reciprocal deviation, in two passes; x is in the
// cache in the second.
func (k *kernels) moments(stats, x []float32, eps float64) {
	size := float64(len(x))
	mean := k.sum64(x) / size
	var squares float64
	for len(x) > 0 {
		n := min(len(x), sumFloats)
		squares += float64(k.sumDev(x[:n], float32(mean)))
		x = x[n:]
	}
	stats[0], stats[1] = float32(mean), float32(1/math.Sqrt(squares/size+eps))
}

// normShape is the geometry of a group normalisation.
type normShape struct {
	maps     int // feature maps: images times channels
	channels int
	group    int // channels of a group
	pixels   int
	perImage bool // gamma and beta have a row for each image
}

func newNormShape(x []int, groups int, perImage bool) normShape {
	return normShape{x[0] * x[1], x[1], x[1] / groups, x[2] * x[3], perImage}
}

// groups returns the number of groups of all images.
func (s normShape) groups() int { return s.maps / s.group }

// size returns the elements of a group.
func (s normShape) size() int { return s.group * s.pixels }

// normGroup is a group of feature maps of one image.
type normGroup struct {
	first       int       // number of the first map
	mean        float32   // of the group
	rstd, shift float32   // xhat = rstd*x + shift
	gamma, beta []float32 // of its maps
}

// at returns group i of all images.
func (s normShape) at(i int, stats, gamma, beta []float32) normGroup {
	first := i * s.group
	from := first
	if !s.perImage {
		from %= s.channels
	}
	mean, rstd := stats[2*i], stats[2*i+1]
	return normGroup{first, mean, rstd, -mean * rstd, gamma[from : from+s.group], beta[from : from+s.group]}
}

// affine returns the factor and the term that take map j of the group to
// gamma*xhat + beta.
func (g *normGroup) affine(j int) (scale, offset float32) {
	scale = g.gamma[j] * g.rstd
	return scale, g.beta[j] - g.mean*scale
}

// newGNStats computes the statistics a group at a time.
func newGNStats(b *Backend, s op.GNStats, c engine.Call) *mapped {
	n := newNormShape(c.In[0], s.Groups, false)
	size := n.size()
	return perItem(b, n.groups(), size, func(m *mapped, i int) {
		b.k.moments(m.out()[2*i:2*i+2], m.in(0)[i*size:(i+1)*size], s.Eps)
	})
}

func newGNApply(b *Backend, s op.GNApply, c engine.Call) *mapped {
	n := newNormShape(c.Out, s.Groups, s.PerImage)
	return perItem(b, n.groups(), n.size(), func(m *mapped, i int) { m.normApply(n, i, s.SiLU) })
}

// newGNStatsApply is GNStats followed by GNApply, a group at a time, so that
// memory is read once. It writes the statistics to GNApply's input.
func newGNStatsApply(b *Backend, stats op.GNStats, s op.GNApply, c engine.Call) *mapped {
	n := newNormShape(c.Out, s.Groups, s.PerImage)
	size := n.size()
	return perItem(b, n.groups(), size, func(m *mapped, i int) {
		b.k.moments(m.in(1)[2*i:2*i+2], m.in(0)[i*size:(i+1)*size], stats.Eps)
		m.normApply(n, i, s.SiLU)
	})
}

// normApply is GNApply of one group.
func (m *mapped) normApply(n normShape, i int, silu bool) {
	g, apply := n.at(i, m.in(1), m.in(2), m.in(3)), m.b.k.affine
	if silu {
		apply = m.b.k.affineSiLU
	}
	x, y := m.in(0), m.out()
	for j := range n.group {
		from := (g.first + j) * n.pixels
		scale, offset := g.affine(j)
		apply(y[from:from+n.pixels], x[from:from+n.pixels], scale, offset)
	}
}
