package augment

import "math"

// A warp resamples the image under an affine map as Karras et al. 2020a, App.
// B.2 do: upsample by two with an orthogonal lowpass, interpolate bilinearly,
// lowpass and downsample by two. The image is continued by its reflection, as
// far as one mirror image goes, and is zero beyond.

const (
	taps  = 12       // of the lowpass
	reach = taps / 4 // pixels, to either side

	border = 3 // zeros around the upsampled window: one before, two after
)

// lowpass is the scaling filter of the wavelet sym6 (Daubechies 1992). Its even
// shifts are orthonormal, so upsampling and downsampling with nothing between
// give the image back.
func lowpass() [taps]float32 {
	return [taps]float32{
		0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
		0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
		-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
	}
}

// window is the range [lo, hi) of pixels that a warp reads on one axis.
type window struct{ lo, hi int }

func (w window) len() int { return w.hi - w.lo }

func (w window) has(i int) bool { return w.lo <= i && i < w.hi }

// tap is where the bilinear interpolation reads one sample: the element at the
// upper left, and the weights of the right and lower neighbours.
type tap struct {
	at     int32
	fx, fy float32
}

// scratch is the working memory for one image.
type scratch struct {
	resolution int
	filter     [taps]float32
	plane      []float32 // one channel

	known  [2]window // where the continued image is, x and y
	x, y   window    // the part that is read
	grid   []tap     // [side, side], side = 2 resolution + 4 reach
	line   []float32 // a row of pixels of the window and reach around it
	rows   []float32 // the window's rows and reach around it, upsampled along x
	double []float32 // the window upsampled, in a border of zeros
	warped []float32 // [side, side], interpolated
	narrow []float32 // [side, resolution], downsampled along x
}

func newScratch(resolution int) *scratch {
	side := 2*resolution + 4*reach
	most := 3*resolution - 2 // the image and its reflections
	return &scratch{
		resolution: resolution,
		filter:     lowpass(),
		plane:      make([]float32, resolution*resolution),
		grid:       make([]tap, side*side),
		line:       make([]float32, most+2*reach),
		rows:       make([]float32, (most+2*reach)*2*most),
		double:     make([]float32, (2*most+border)*(2*most+border)),
		warped:     make([]float32, side*side),
		narrow:     make([]float32, side*resolution),
	}
}

// mirrors returns how far the image is continued on each axis: by one mirror
// image.
func (s *scratch) mirrors() [2]window {
	w := window{1 - s.resolution, 2*s.resolution - 1}
	return [2]window{w, w}
}

// aim sets the windows and the grid for the map t from output to input. The
// image is continued as far as known, x and y, which is within mirrors.
func (s *scratch) aim(t affine, known [2]window) {
	s.known = known
	n := float64(s.resolution)
	side := 2*s.resolution + 4*reach
	// place maps the element (i, j) of the warped image to a position in the
	// upsampled input. The lowpass has its weight at an image's even elements.
	place := func(i, j int) (x, y float64) {
		origin := 2*reach - 1 + n
		x, y = t.at((float64(j)-origin)/2, (float64(i)-origin)/2)
		return 2*x + n - 1, 2*y + n - 1
	}
	x0, y0 := math.Inf(1), math.Inf(1)
	x1, y1 := math.Inf(-1), math.Inf(-1)
	for _, corner := range [4][2]int{{0, 0}, {0, side - 1}, {side - 1, 0}, {side - 1, side - 1}} {
		x, y := place(corner[0], corner[1])
		x0, x1 = min(x0, x), max(x1, x)
		y0, y1 = min(y0, y), max(y1, y)
	}
	s.x, s.y = known[0].around(x0, x1), known[1].around(y0, y1)
	left, right := float64(2*s.x.lo-1), float64(2*s.x.len()+1)
	top, bottom := float64(2*s.y.lo-1), float64(2*s.y.len()+1)
	width := 2*s.x.len() + border
	for i := range side {
		for j := range side {
			x, y := place(i, j)
			x, y = min(max(x-left, 0), right), min(max(y-top, 0), bottom)
			column, row := math.Floor(x), math.Floor(y)
			s.grid[i*side+j] = tap{int32(int(row)*width + int(column)), float32(x - column), float32(y - row)}
		}
	}
}

// around returns the part of w that the positions lo to hi of the upsampled
// image need.
func (w window) around(lo, hi float64) window {
	first, last := float64(w.lo), float64(w.hi)
	a := min(max(math.Floor(lo/2), first), last)
	b := min(max(math.Floor((hi+1)/2)+1, a), last)
	return window{int(a), int(b)}
}

// resample replaces one channel by its image under the map that aim was given.
func (s *scratch) resample(plane []float32) {
	s.widen(plane)
	s.heighten()
	s.interpolate()
	s.shrink(plane)
}

// widen upsamples the rows that the window reads along x.
func (s *scratch) widen(plane []float32) {
	n := s.resolution
	line := s.line[:s.x.len()+2*reach]
	width := 2 * s.x.len()
	for i := range s.y.len() + 2*reach {
		row := s.rows[i*width:][:width]
		y := s.y.lo - reach + i
		if !s.known[1].has(y) {
			clear(row)
			continue
		}
		from := plane[reflect(y, n)*n:][:n]
		for k := range line {
			line[k] = 0
			if x := s.x.lo - reach + k; s.known[0].has(x) {
				line[k] = from[reflect(x, n)]
			}
		}
		s.upsample(row, line)
	}
}

// upsample writes two elements for every pixel of line but reach at either end.
func (s *scratch) upsample(dst, line []float32) {
	f := &s.filter
	for k := range len(dst) / 2 {
		v := line[k : k+2*reach+1]
		dst[2*k] = f[11]*v[0] + f[9]*v[1] + f[7]*v[2] + f[5]*v[3] + f[3]*v[4] + f[1]*v[5]
		dst[2*k+1] = f[10]*v[1] + f[8]*v[2] + f[6]*v[3] + f[4]*v[4] + f[2]*v[5] + f[0]*v[6]
	}
}

// heighten upsamples the rows along y, and draws the border of zeros.
func (s *scratch) heighten() {
	f := &s.filter
	inner := 2 * s.x.len()
	width := inner + border
	clear(s.double[:width])
	for k := range s.y.len() {
		var v [2*reach + 1][]float32
		for r := range v {
			v[r] = s.rows[(k+r)*inner:][:inner]
		}
		even := s.double[(2*k+1)*width:][:width]
		odd := s.double[(2*k+2)*width:][:width]
		combine(even, [taps / 2]float32{f[11], f[9], f[7], f[5], f[3], f[1]}, v[:2*reach])
		combine(odd, [taps / 2]float32{f[10], f[8], f[6], f[4], f[2], f[0]}, v[1:])
	}
	clear(s.double[(2*s.y.len()+1)*width:][:2*width])
}

// combine writes a weighted sum of six rows between zeros.
func combine(dst []float32, w [taps / 2]float32, rows [][]float32) {
	r0, r1, r2, r3, r4, r5 := rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
	n := len(r0)
	r1, r2, r3, r4, r5 = r1[:n], r2[:n], r3[:n], r4[:n], r5[:n]
	dst[0], dst[n+1], dst[n+2] = 0, 0, 0
	inner := dst[1 : n+1]
	for x := range inner {
		inner[x] = w[0]*r0[x] + w[1]*r1[x] + w[2]*r2[x] + w[3]*r3[x] + w[4]*r4[x] + w[5]*r5[x]
	}
}

// interpolate samples the upsampled window at the grid.
func (s *scratch) interpolate() {
	width := 2*s.x.len() + border
	for k := range s.grid {
		g := &s.grid[k]
		upper, lower := s.double[g.at:][:2], s.double[int(g.at)+width:][:2]
		a := upper[0] + g.fx*(upper[1]-upper[0])
		b := lower[0] + g.fx*(lower[1]-lower[0])
		s.warped[k] = a + g.fy*(b-a)
	}
}

// shrink downsamples along x, then along y, and crops to the image.
func (s *scratch) shrink(plane []float32) {
	f := &s.filter
	n := s.resolution
	side := 2*n + 4*reach
	for i := range side {
		from := s.warped[i*side:][:side]
		for x := range n {
			v := from[2*x+1:][:taps]
			s.narrow[i*n+x] = f[0]*v[0] + f[1]*v[1] + f[2]*v[2] + f[3]*v[3] + f[4]*v[4] + f[5]*v[5] +
				f[6]*v[6] + f[7]*v[7] + f[8]*v[8] + f[9]*v[9] + f[10]*v[10] + f[11]*v[11]
		}
	}
	for y := range n {
		dst := plane[y*n:][:n]
		clear(dst)
		for k, w := range f {
			for x, v := range s.narrow[(2*y+1+k)*n:][:n] {
				dst[x] += w * v
			}
		}
	}
}
