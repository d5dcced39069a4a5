package cpu

import (
	"math"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/rng"
)

// newDropout returns a kernel that makes its masks in registers, a part of an
// image at a time. Its bits are those of the definition.
func newDropout(b *Backend, s op.Dropout, c engine.Call) *mapped {
	size := c.Out[1] * c.Out[2] * c.Out[3]
	parts := ceilDiv(size, chunkFloats)
	m := &mapped{b: b, chunks: c.Out[0] * parts}
	m.job = func(chunk, _ int) {
		n, part := chunk/parts, chunk%parts
		from, to := part*chunkFloats, min((part+1)*chunkFloats, size)
		dst, x := m.out()[n*size+from:n*size+to], m.in(0)[n*size+from:n*size+to]
		p := float64(m.in(1)[0])
		limit := uint64(p * (1 << 32))
		switch {
		case p <= 0:
			copy(dst, x)
			return
		case limit > math.MaxUint32:
			clear(dst)
			return
		}
		key, index := uint64(m.args.In[2].I64[0]), uint64(m.args.In[3].I64[n])
		block, keep := uint32(s.Site*op.DropoutBlocks+from/4), float32(1/(1-p))
		whole := len(dst) &^ 31
		for _, part := range []struct {
			f        func(dst, x []float32, block, i0, i1, stream, k0, k1, limit uint32, keep float32)
			from, to int
		}{{b.k.dropout, 0, whole}, {dropoutGo, whole, len(dst)}} {
			part.f(dst[part.from:part.to], x[part.from:part.to], block+uint32(part.from/4),
				uint32(index), uint32(index>>32), uint32(rng.Dropout),
				uint32(key), uint32(key>>32), uint32(limit), keep)
		}
	}
	return m
}

// dropoutGo takes any length.
func dropoutGo(dst, x []float32, block, index0, index1, stream, key0, key1, limit uint32, keep float32) {
	var words [4]uint32
	for i, v := range x[:len(dst)] {
		if i%4 == 0 {
			words = rng.Philox4x32([4]uint32{block + uint32(i/4), index0, index1, stream}, [2]uint32{key0, key1})
		}
		if words[i%4] < limit {
			dst[i] = 0
		} else {
			dst[i] = v * keep
		}
	}
}
