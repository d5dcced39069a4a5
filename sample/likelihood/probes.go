package likelihood

import "edm/internal/rng"

// probes are the vectors v whose products v J v make up a trace.
type probes struct {
	count   int         // products for one trace
	columns int         // independent estimates of it: 1 for the exact trace
	random  [][]float64 // [count] of [N, Dim]; nil for the exact trace
	unit    []float64   // [N, Dim], the unit vectors of the exact trace, in turn
	dim     int
}

// newProbes draws the probes of a batch, those of an image from its own seed.
func newProbes(o Options, b Batch) *probes {
	if o.Trace == Exact {
		return &probes{count: b.Dim, columns: 1, unit: make([]float64, len(b.X)), dim: b.Dim}
	}
	p := &probes{count: o.Probes, columns: o.Probes, dim: b.Dim, random: make([][]float64, o.Probes)}
	for k := range p.random {
		v := make([]float64, len(b.X))
		for i, seed := range b.Seeds {
			row := v[i*b.Dim : (i+1)*b.Dim]
			if o.Trace == Gaussian {
				rng.FillNormal(row, seed, rng.Probe, uint64(k))
			} else {
				fillSigns(row, seed, uint64(k))
			}
		}
		p.random[k] = v
	}
	return p
}

// fillSigns writes probe number index of random signs, a bit for each.
func fillSigns(dst []float64, seed, index uint64) {
	r := rng.New(seed, rng.Probe, index)
	var bits uint32
	for j := range dst {
		if j%32 == 0 {
			bits = r.Uint32()
		}
		dst[j] = 1 - 2*float64(bits&1)
		bits >>= 1
	}
}

// vector returns probe number k for all images, valid until the next call, and
// the estimate that it belongs to.
func (p *probes) vector(k int) (v []float64, column int) {
	if p.random != nil {
		return p.random[k], k
	}
	clear(p.unit)
	for at := k; at < len(p.unit); at += p.dim {
		p.unit[at] = 1
	}
	return p.unit, 0
}
