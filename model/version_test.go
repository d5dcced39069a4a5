package model

import (
	"slices"
	"testing"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/loss"
	"edm/model/precond"
	"edm/unet"
)

// witness is the portable backend that notes the versions of the weights of
// convolutions.
type witness struct {
	engine.Portable
	seen []uint64
}

type witnessed struct {
	engine.Kernel
	w *witness
}

func (w *witness) Kernel(c engine.Call) (engine.Kernel, error) {
	k, err := w.Portable.Kernel(c)
	if _, ok := c.Spec.(op.Conv2D); ok && err == nil {
		return witnessed{k, w}, nil
	}
	return k, err
}

func (k witnessed) Run(a *engine.Args) {
	k.w.seen = append(k.w.seen, a.Version[1])
	k.Kernel.Run(a)
}

// one returns the version that every convolution saw since the last call.
func (w *witness) one(t *testing.T) uint64 {
	t.Helper()
	versions := slices.Compact(w.seen)
	w.seen = nil
	if len(versions) != 1 {
		t.Fatalf("weights of versions %v in one run, want one", versions)
	}
	return versions[0]
}

// In sampling weights have a version of their own for each Denoiser, whatever
// the batch; in training, where they change between runs, they have none.
func TestWeightsHaveVersions(t *testing.T) {
	c := unet.DefaultConfig()
	c.ImgResolution, c.InChannels, c.OutChannels = 8, 1, 1
	c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions = 8, []int{1}, 1, nil
	w := &witness{}
	m, err := New(Config{Network: c, Precond: precond.DefaultEDM()}, &Device{backend: w})
	if err != nil {
		t.Fatal(err)
	}
	weights, dim := make([]float32, m.Layout().Size), m.Config().Dim()
	x, dst := make([]float64, 3*dim), make([]float64, 3*dim)
	sample := func(d *Denoiser, n int) uint64 {
		if err := d.Denoise(t.Context(), dst[:n*dim], x[:n*dim], 1, nil); err != nil {
			t.Fatal(err)
		}
		return w.one(t)
	}
	open := func() *Denoiser {
		d, err := m.Denoiser(weights, 2)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first, second := open(), open()
	a := sample(first, 2)
	if a == 0 || sample(first, 2) != a || sample(first, 1) != a || sample(first, 3) != a {
		t.Error("one Denoiser's weights change their version")
	}
	b := sample(second, 2)
	if b == 0 || b == a {
		t.Errorf("another Denoiser's weights have version %d, the first's %d", b, a)
	}
	if sample(first, 2) != a {
		t.Error("weights that come back have another version")
	}
	if err := first.VJP(t.Context(), dst[:dim], dst[dim:2*dim], x[:dim], 1, x[dim:2*dim], nil); err != nil {
		t.Fatal(err)
	}
	if w.one(t) != a {
		t.Error("the derivative's weights have another version")
	}
	l, err := m.NewLoss(loss.Default(), 1, true)
	if err != nil {
		t.Fatal(err)
	}
	batch := Batch{
		Images: make([]float32, dim), Noise: make([]float32, dim), Sigma: []float64{1}, Weight: []float64{1}, Counter: []int64{0},
	}
	if err := l.Run(weights, make([]float32, len(weights)), make([]float64, 1), &batch); err != nil {
		t.Fatal(err)
	}
	if w.one(t) != 0 {
		t.Error("weights in training have a version")
	}
}
