package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// filtered is op.Up or op.Down for any filter, as two passes: rows in vectors,
// then within a row.
type filtered struct {
	*mapped
	k     *kernels
	h, w  int       // of the small image
	taps  []float32 // normalised to sum 1
	gain  float32
	lines [][]float32 // by worker: one row of the large image with a border
}

// border is the number of elements on either side of a line: more than a tap
// reaches over the image's edge.
const border = op.MaxTaps

func newFiltered(b *Backend, f op.Filter, gain float64, maps, h, w int) *filtered {
	r := &filtered{k: b.k, h: h, w: w, gain: float32(gain), lines: make([][]float32, b.pool.Threads())}
	var sum float64
	for _, v := range f.Taps[:f.N] {
		sum += v
	}
	for _, v := range f.Taps[:f.N] {
		r.taps = append(r.taps, float32(v/sum))
	}
	for i := range r.lines {
		r.lines[i] = make([]float32, 2*w+2*border)
	}
	r.mapped = &mapped{b: b, chunks: maps}
	return r
}

// newFilteredDown returns a kernel for op.Down.
func newFilteredDown(b *Backend, s op.Down, c engine.Call) *filtered {
	r := newFiltered(b, s.Filter, s.Gain, c.Out[0]*c.Out[1], c.Out[2], c.Out[3])
	r.job = r.down
	return r
}

// newFilteredUp returns a kernel for op.Up.
func newFilteredUp(b *Backend, s op.Up, c engine.Call) *filtered {
	r := newFiltered(b, s.Filter, s.Gain, c.In[0][0]*c.In[0][1], c.In[0][2], c.In[0][3])
	r.job = r.up
	return r
}

func (r *filtered) pad() int { return (len(r.taps) - 1) / 2 }

// down halves one feature map: output row i is a sum of input rows 2i-pad+a, of
// which every second filtered element is kept.
func (r *filtered) down(i, worker int) {
	small, wide := r.h*r.w, 2*r.w
	src, dst := r.in(0)[4*i*small:4*(i+1)*small], r.out()[i*small:(i+1)*small]
	line := r.lines[worker]
	inner := line[border : border+wide]
	for y := range r.h {
		clear(line)
		for a, t := range r.taps {
			if at := 2*y - r.pad() + a; at >= 0 && at < 2*r.h {
				r.k.axpby(inner, src[at*wide:(at+1)*wide], inner, r.gain*t, 1, 0)
			}
		}
		row := dst[y*r.w : (y+1)*r.w]
		for x := range row {
			var sum float32
			for b, v := range line[border-r.pad()+2*x:][:len(r.taps)] {
				sum += r.taps[b] * v
			}
			row[x] = sum
		}
	}
}

// up doubles one feature map, the transpose of down.
func (r *filtered) up(i, worker int) {
	small, wide := r.h*r.w, 2*r.w
	src, dst := r.in(0)[i*small:(i+1)*small], r.out()[4*i*small:4*(i+1)*small]
	line := r.lines[worker]
	inner := line[border : border+wide]
	clear(dst)
	for y := range r.h {
		clear(line)
		for x, v := range src[y*r.w : (y+1)*r.w] {
			around := line[border-r.pad()+2*x:][:len(r.taps)]
			for b, t := range r.taps {
				around[b] += t * v
			}
		}
		for a, t := range r.taps {
			if at := 2*y - r.pad() + a; at >= 0 && at < 2*r.h {
				row := dst[at*wide : (at+1)*wide]
				r.k.axpby(row, inner, row, r.gain*t, 1, 0)
			}
		}
	}
}
