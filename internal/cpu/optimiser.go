package cpu

import (
	"math"
	"sync"

	"edm/internal/engine"
)

// optimiserChunk is the length of a chunk of the flat parameter buffers. Sums
// are taken chunk by chunk, so it is part of the results.
const optimiserChunk = 32 << 10

// optimiser has the arguments of the chunks of an update on flat buffers.
type optimiser struct {
	mu sync.Mutex // one update at a time

	update          engine.Update
	w, ema, m, v, g []float32
	partial         []float64

	adam, square, add func(chunk, worker int)
}

var _ engine.Updater = (*Backend)(nil)

// chunkOf returns the range of a chunk.
func (o *optimiser) chunkOf(chunk int) (from, to int) {
	return chunk * optimiserChunk, min((chunk+1)*optimiserChunk, len(o.g))
}

// Adam implements engine.Updater: one pass over all buffers, which must be of
// equal length and not overlap.
func (b *Backend) Adam(u engine.Update, w, ema, m, v, g []float32) error {
	o := &b.flat
	o.mu.Lock()
	defer o.mu.Unlock()
	o.update, o.w, o.ema, o.m, o.v, o.g = u, w[:len(g)], ema[:len(g)], m[:len(g)], v[:len(g)], g
	b.pool.Parallel(ceilDiv(len(g), optimiserChunk), o.adam)
	return nil
}

// SumSquares implements engine.Updater: in float64, chunks in order.
func (b *Backend) SumSquares(x []float32) (float64, error) {
	o := &b.flat
	o.mu.Lock()
	defer o.mu.Unlock()
	chunks := ceilDiv(len(x), optimiserChunk)
	if chunks > len(o.partial) {
		o.partial = make([]float64, chunks)
	}
	o.g = x
	b.pool.Parallel(chunks, o.square)
	var total float64
	for _, s := range o.partial[:chunks] {
		total += s
	}
	return total, nil
}

// Accumulate implements engine.Updater.
func (b *Backend) Accumulate(y, x []float32) error {
	o := &b.flat
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w, o.g = y[:len(x)], x
	b.pool.Parallel(ceilDiv(len(x), optimiserChunk), o.add)
	return nil
}

// init prepares the chunks' functions for kernels k.
func (o *optimiser) init(k *kernels) {
	o.adam = func(chunk, _ int) {
		from, to := o.chunkOf(chunk)
		u := o.update
		step := u.LR / (1 - math.Pow(u.Beta1, float64(u.Step)))
		root := 1 / math.Sqrt(1-math.Pow(u.Beta2, float64(u.Step)))
		k.adam(o.w[from:to], o.m[from:to], o.v[from:to], o.ema[from:to], o.g[from:to],
			float32(u.GradScale), float32(u.Beta1), float32(1-u.Beta1), float32(u.Beta2), float32(1-u.Beta2),
			float32(step), float32(root), float32(u.Eps), float32(u.EMABeta))
	}
	o.square = func(chunk, _ int) {
		from, to := o.chunkOf(chunk)
		o.partial[chunk] = k.sumSquares(o.g[from:to])
	}
	o.add = func(chunk, _ int) {
		from, to := o.chunkOf(chunk)
		k.axpby(o.w[from:to], o.g[from:to], o.w[from:to], 1, 1, 0)
	}
}
