package cpu

import (
	"fmt"
	"runtime"

	"edm/internal/engine"
	"edm/internal/op"
)

// Options configures a Backend.
type Options struct {
	Threads  int  // goroutines that compute; 0 means GOMAXPROCS
	Portable bool // use no assembly
}

// Backend runs the network's operations with the fastest kernels that the
// processor has. Results do not depend on the number of threads, and those of
// one image not on the other images of its batch.
type Backend struct {
	pool *Pool
	k    *kernels
	flat optimiser
}

var _ engine.Backend = (*Backend)(nil)

// New returns a backend with the given number of threads; 0 means GOMAXPROCS.
func New(threads int) *Backend { return NewBackend(Options{Threads: threads}) }

// NewBackend returns a backend.
func NewBackend(o Options) *Backend {
	all := implementations()
	k := all[0]
	if o.Portable {
		k = all[len(all)-1]
	}
	return newBackend(k, o.Threads)
}

func newBackend(k *kernels, threads int) *Backend {
	b := &Backend{pool: NewPool(threads), k: k}
	b.flat.init(k)
	return b
}

// Name identifies the set of kernels: equal names mean equal bits. AVX2 and
// AVX-512 share one, since they round alike; the portable kernels do not round
// alike on every processor, since Go fuses multiply and add where it can.
func (b *Backend) Name() string {
	if b.k.name == "portable" {
		return "cpu-portable-" + runtime.GOARCH
	}
	return "cpu-fma"
}

// Instructions returns the instruction set in use: portable, avx2 or avx512.
func (b *Backend) Instructions() string { return b.k.name }

// Threads returns the number of threads.
func (b *Backend) Threads() int { return b.pool.Threads() }

// Close stops the threads.
func (b *Backend) Close() error {
	b.pool.Close()
	return nil
}

// Kernel prepares one operation. Those without a fast path, and all in
// float64, run by their definition on one thread.
func (b *Backend) Kernel(c engine.Call) (engine.Kernel, error) {
	if c.DType == engine.Float32 {
		if k := b.kernel(c); k != nil {
			return k, nil
		}
	}
	k, err := engine.Portable{}.Kernel(c)
	if err != nil {
		return nil, fmt.Errorf("cpu: prepare %v: %w", op.Op{Spec: c.Spec}, err)
	}
	return k, nil
}

// kernel returns the fast kernel of a call, or nil.
func (b *Backend) kernel(c engine.Call) engine.Kernel {
	switch s := c.Spec.(type) {
	case op.Conv2D:
		return newConvKernel(b, s, c)
	case op.Conv2DData:
		return newConvDataKernel(b, s, c)
	case op.Conv2DWeights:
		return newConvWeightsKernel(b, s, c)
	case op.Linear:
		return newLinear(b, s, c)
	case op.LinearData:
		return newLinearData(b, s, c)
	case op.LinearWeights:
		return newLinearWeights(b, s, c)
	case op.SumHW:
		return newSumHW(b, s, c)
	case op.AttnLSE:
		return newAttnLSE(b, c, s.Heads)
	case op.Attn:
		return newAttn(b, c, s.Heads)
	case op.AttnGrad:
		return newAttnGrad(b, c, s.Heads)
	}
	return b.pointwise(c)
}

// pointwise returns the fast kernel of an operation that is bound by memory, or
// nil.
func (b *Backend) pointwise(c engine.Call) engine.Kernel {
	switch s := c.Spec.(type) {
	case op.SiLU:
		return newSiLU(b, c)
	case op.SiLUGrad:
		return newSiLUGrad(b, c)
	case op.Add:
		return newAdd(b, c)
	case op.Scale:
		return newScale(b, s, c)
	case op.SampleScale:
		return newSampleScale(b, c)
	case op.Combine:
		return newCombine(b, c)
	case op.SquaredError:
		return newPerImage(b, c, true, true, true)
	case op.SquaredErrorGrad:
		return newSquaredErrorGrad(b, c)
	case op.Concat:
		return newConcat(b, c)
	case op.Narrow:
		return newNarrow(b, s, c)
	case op.Widen:
		return newWiden(b, s, c)
	case op.Dropout:
		return newDropout(b, s, c)
	}
	if k := b.norm(c); k != nil {
		return k
	}
	return b.resample(c)
}

// norm returns the fast kernel of a part of a group normalisation, or nil.
func (b *Backend) norm(c engine.Call) engine.Kernel {
	switch s := c.Spec.(type) {
	case op.GNStats:
		return newGNStats(b, s, c)
	case op.GNApply:
		return newGNApply(b, s, c)
	case op.GNSums:
		return newGNSums(b, s, c)
	case op.GNData:
		return newGNData(b, s, c)
	case op.Modulate:
		return newModulate(b, s, c)
	case op.ModulateParam:
		return newModulateParam(b, c)
	case op.ModulateData:
		return newModulateData(b, s, c)
	}
	return nil
}

// resample returns the fast kernel of a change of image size, or nil.
func (b *Backend) resample(c engine.Call) engine.Kernel {
	switch s := c.Spec.(type) {
	case op.Pad:
		return newPad(b, s, c)
	case op.Crop:
		return newCrop(b, s, c)
	case op.Up:
		if box(s.Filter) {
			return newUp(b, s, c)
		}
		return newFilteredUp(b, s, c)
	case op.Down:
		if box(s.Filter) {
			return newDown(b, s, c)
		}
		return newFilteredDown(b, s, c)
	}
	return nil
}
