package sample

import "math"

// brownianPath is the part that lies ahead of one image's Brownian motion W(v), whose
// time v = sigma^2 falls. It is drawn where it is asked for and remembered until
// it is passed: a step that is refused and tried again shorter meets the same
// motion, with the new point drawn from the Brownian bridge (rejection sampling
// with memory: Rackauckas & Nie 2017). Drawing afresh would favour noise that
// makes small errors; that error does not fall with the tolerance. (Measured on
// Gaussian data of two numbers with rtol = atol = 0.01: the variance of the images
// came out 2.1 times the data's, and with memory 0.99.)
type brownianPath struct {
	v     float64 // where the image stands
	knots []knot  // known points ahead, v falling
	spare [][]float64
}

// knot is a known point: its place, and W there less W at the point before.
type knot struct {
	v    float64
	diff []float64
}

// reveal makes v, which is ahead, a known point, and returns how many points
// there are up to it. normals are used if it was not known; they must be new.
func (b *brownianPath) reveal(v float64, normals []float64) int {
	before := b.v
	for k := range b.knots {
		at := &b.knots[k]
		if at.v == v {
			return k + 1
		}
		if at.v < v {
			b.bridge(k, before, v, normals)
			return k + 1
		}
		before = at.v
	}
	diff := b.vector(len(normals))
	std := math.Sqrt(before - v)
	for j, n := range normals {
		diff[j] = std * n
	}
	b.knots = append(b.knots, knot{v, diff})
	return len(b.knots)
}

// bridge inserts a point at v between before and knot k. Given its end, the
// motion there is normal about the straight line.
func (b *brownianPath) bridge(k int, before, v float64, normals []float64) {
	after := b.knots[k]
	span := before - after.v
	part := (before - v) / span
	std := math.Sqrt(part * (1 - part) * span)
	diff := b.vector(len(normals))
	for j, n := range normals {
		diff[j] = part*after.diff[j] + std*n
		after.diff[j] -= diff[j]
	}
	b.knots = append(b.knots, knot{})
	copy(b.knots[k+1:], b.knots[k:])
	b.knots[k] = knot{v, diff}
}

// change writes W at the n-th known point less W where the image stands to dst.
func (b *brownianPath) change(dst []float64, n int) {
	clear(dst)
	for _, at := range b.knots[:n] {
		addScaled(dst, at.diff, 1)
	}
}

// pass moves the image to the n-th known point.
func (b *brownianPath) pass(n int) {
	for _, at := range b.knots[:n] {
		b.v = at.v
		b.spare = append(b.spare, at.diff)
	}
	b.knots = append(b.knots[:0], b.knots[n:]...)
}

// vector returns room for n numbers.
func (b *brownianPath) vector(n int) []float64 {
	last := len(b.spare) - 1
	if last < 0 {
		return make([]float64, n)
	}
	v := b.spare[last]
	b.spare = b.spare[:last]
	return v
}
