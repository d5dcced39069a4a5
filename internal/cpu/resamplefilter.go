package cpu

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// filtered is op.Up or op.Down for any filter, a feature map at a time: first
// across rows into a plane, then within its lines. The plane is whole, since a
// line cannot be read at another alignment right after it was written.
type filtered struct {
	*mapped
	k      *kernels
	h, w   int         // of the small image
	rows   []float32   // taps across rows: times the gain, normalised to sum 1
	line   int         // elements of a line without its border
	planes [][]float32 // by worker: lines with a border of zeros

	taps      []float32    // down: within a row
	even, odd []float32    // up: within a row, for even and odd outputs
	phase     [2][]float32 // up: across rows, for even and odd rows
}

// border is the number of elements on either side of a line: more than a filter
// reaches over the image's edge.
const border = op.MaxTaps

func newFiltered(b *Backend, f op.Filter, gain float64, small []int, lines, line int) *filtered {
	r := &filtered{k: b.k, h: small[2], w: small[3], line: line, planes: make([][]float32, b.pool.Threads())}
	var sum float64
	for _, v := range f.Taps[:f.N] {
		sum += v
	}
	for _, v := range f.Taps[:f.N] {
		r.taps = append(r.taps, float32(v/sum))
		r.rows = append(r.rows, float32(gain*v/sum))
	}
	for i := range r.planes {
		r.planes[i] = make([]float32, lines*(line+2*border))
	}
	r.mapped = &mapped{b: b, chunks: small[0] * small[1]}
	return r
}

// newFilteredDown returns a kernel for op.Down.
func newFilteredDown(b *Backend, s op.Down, c engine.Call) *filtered {
	r := newFiltered(b, s.Filter, s.Gain, c.Out, c.Out[2], 2*c.Out[3])
	r.job = r.down
	return r
}

// newFilteredUp returns a kernel for op.Up.
func newFilteredUp(b *Backend, s op.Up, c engine.Call) *filtered {
	r := newFiltered(b, s.Filter, s.Gain, c.In[0], 2*c.In[0][2], c.In[0][3])
	r.even, r.odd = phases(r.taps)
	r.phase[0], r.phase[1] = phases(r.rows)
	r.job = r.up
	return r
}

// reach is how many inputs on either side of its position an output of doubling
// may need.
func reach(taps []float32) int { return len(taps) / 4 }

// phases takes a filter of doubling apart: outputs 2i and 2i+1 are the sums over
// j of even[j] and odd[j] times input i-reach(taps)+j.
func phases(taps []float32) (even, odd []float32) {
	middle, pad := reach(taps), (len(taps)-1)/2
	even, odd = make([]float32, 2*middle+1), make([]float32, 2*middle+1)
	for b, t := range taps { // input i adds to output 2i-pad+b
		if d := pad - b; d%2 == 0 {
			even[middle+d/2] = t
		} else {
			odd[middle+(d+1)/2] = t
		}
	}
	return even, odd
}

// across filters rows first to first+len(taps) of an image of high rows into
// line y of a plane; rows outside the image are zero.
func (r *filtered) across(plane []float32, y int, image, taps []float32, first, high int) {
	line := plane[y*(r.line+2*border)+border:][:r.line]
	from, to := max(-first, 0), min(high-first, len(taps))
	taps, image = taps[from:to], image[(first+from)*r.line:]
	whole := r.line &^ 7
	r.k.weightedRows(line[:whole], image, taps, r.line)
	weightedRowsGo(line[whole:], image[whole:], taps, r.line)
}

// from returns what is at position at of line y, and behind it.
func (r *filtered) from(plane []float32, y, at int) []float32 {
	return plane[y*(r.line+2*border)+border+at:]
}

// down halves one feature map: output row y is a sum of input rows 2y-pad+j.
func (r *filtered) down(i, worker int) {
	small, plane, pad := r.h*r.w, r.planes[worker], (len(r.taps)-1)/2
	src, dst := r.in(0)[4*i*small:4*(i+1)*small], r.out()[i*small:(i+1)*small]
	for y := range r.h {
		r.across(plane, y, src, r.rows, 2*y-pad, 2*r.h)
	}
	for y := range r.h {
		row, x, whole := dst[y*r.w:(y+1)*r.w], r.from(plane, y, -pad), r.w&^7
		r.k.downsample(row[:whole], x, r.taps)
		downsampleGo(row[whole:], x[2*whole:], r.taps)
	}
}

// up doubles one feature map, the transpose of down.
func (r *filtered) up(i, worker int) {
	small, wide, plane, first := r.h*r.w, 2*r.w, r.planes[worker], reach(r.taps)
	src, dst := r.in(0)[i*small:(i+1)*small], r.out()[4*i*small:4*(i+1)*small]
	for y := range 2 * r.h {
		r.across(plane, y, src, r.phase[y%2], y/2-first, r.h)
	}
	for y := range 2 * r.h {
		row, x, whole := dst[y*wide:(y+1)*wide], r.from(plane, y, -first), wide&^15
		r.k.upsample(row[:whole], x, r.even, r.odd)
		upsampleGo(row[whole:], x[whole/2:], r.even, r.odd)
	}
}
