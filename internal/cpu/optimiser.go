package cpu

import (
	"errors"
	"fmt"
	"math"
)

// AdamStep is one update of Adam (Kingma and Ba 2015, Algorithm 1) and of the
// moving average of the parameters.
type AdamStep struct {
	LR, Beta1, Beta2, Eps float64
	Step                  int64   // t, 1 for the first update
	GradScale             float64 // multiplies the gradient first: 1, or a clipping factor
	EMABeta               float64 // ema = p + EMABeta*(ema-p)
}

// Validate reports every field out of range.
func (s AdamStep) Validate() error {
	var errs []error
	for _, p := range []struct {
		name string
		v    float64
	}{{"Beta1", s.Beta1}, {"Beta2", s.Beta2}} {
		if !(p.v >= 0 && p.v < 1) {
			errs = append(errs, fmt.Errorf("cpu: AdamStep.%s is %v, want a number in [0,1)", p.name, p.v))
		}
	}
	if s.Step < 1 {
		errs = append(errs, fmt.Errorf("cpu: AdamStep.Step is %d, want 1 for the first update", s.Step))
	}
	return errors.Join(errs...)
}

// optimiserChunk is the length of a chunk of the flat parameter buffers; part of
// the results, since sums are taken chunk by chunk.
const optimiserChunk = 32 << 10

// Optimiser updates flat buffers of parameters on a Backend's threads. It
// belongs to one goroutine and allocates nothing per call.
type Optimiser struct {
	b                *Backend
	step             AdamStep
	p, m, v, ema, g  []float32
	partial          []float64
	bad              []bool
	adam, sums, scan func(chunk, worker int)
}

// NewOptimiser returns an Optimiser for buffers of n elements.
func (b *Backend) NewOptimiser(n int) *Optimiser {
	chunks := ceilDiv(n, optimiserChunk)
	o := &Optimiser{b: b, partial: make([]float64, chunks), bad: make([]bool, chunks)}
	o.adam, o.sums, o.scan = o.adamChunk, o.sumChunk, o.scanChunk
	return o
}

// Adam advances the parameters p, the moments m and v and the moving average
// ema by the gradient g, in one pass. The slices have equal lengths, that of
// NewOptimiser, and do not overlap.
func (o *Optimiser) Adam(p, m, v, ema, g []float32, s AdamStep) error {
	if err := s.Validate(); err != nil {
		return err
	}
	for _, x := range [][]float32{p, m, v, ema, g} {
		if ceilDiv(len(x), optimiserChunk) != len(o.partial) || len(x) != len(p) {
			return fmt.Errorf("cpu: Adam: a buffer has %d elements, want as many as the parameters and NewOptimiser's", len(x))
		}
	}
	o.p, o.m, o.v, o.ema, o.g, o.step = p, m, v, ema, g, s
	o.b.pool.Parallel(len(o.partial), o.adam)
	return nil
}

func (o *Optimiser) adamChunk(chunk, _ int) {
	from := chunk * optimiserChunk
	to := min(from+optimiserChunk, len(o.p))
	s := o.step
	t := float64(s.Step)
	step := s.LR / (1 - math.Pow(s.Beta1, t))
	root := 1 / math.Sqrt(1-math.Pow(s.Beta2, t))
	o.b.k.adam(o.p[from:to], o.m[from:to], o.v[from:to], o.ema[from:to], o.g[from:to],
		float32(s.GradScale), float32(s.Beta1), float32(1-s.Beta1), float32(s.Beta2), float32(1-s.Beta2),
		float32(step), float32(root), float32(s.Eps), float32(s.EMABeta))
}

// SumSquares returns the sum of g*g in float64: chunks in order, so that it does
// not depend on the number of threads.
func (o *Optimiser) SumSquares(g []float32) float64 {
	o.g = g
	o.b.pool.Parallel(len(o.partial), o.sums)
	var total float64
	for _, v := range o.partial {
		total += v
	}
	return total
}

func (o *Optimiser) sumChunk(chunk, _ int) {
	o.partial[chunk] = o.b.k.sumSquares(o.g[chunk*optimiserChunk : min((chunk+1)*optimiserChunk, len(o.g))])
}

// NonFinite reports whether g holds an infinity or NaN.
func (o *Optimiser) NonFinite(g []float32) bool {
	o.g = g
	o.b.pool.Parallel(len(o.partial), o.scan)
	for _, bad := range o.bad {
		if bad {
			return true
		}
	}
	return false
}

func (o *Optimiser) scanChunk(chunk, _ int) {
	o.bad[chunk] = o.b.k.nonFinite(o.g[chunk*optimiserChunk : min((chunk+1)*optimiserChunk, len(o.g))])
}
