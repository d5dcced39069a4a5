package model_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/rng"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// fourier is a small NCSN++ network: it has a frozen buffer of random
// frequencies.
func fourier(t *testing.T) model.Config {
	t.Helper()
	n, err := unet.ArchDefaults(unet.NCSNPP)
	if err != nil {
		t.Fatal(err)
	}
	n.ImgResolution, n.InChannels, n.OutChannels = 8, 3, 3
	n.ModelChannels, n.ChannelMult, n.NumBlocks, n.AttnResolutions, n.Dropout = 16, []int{1, 2}, 1, []int{4}, 0
	return model.Config{Network: n, Precond: precond.DefaultVE()}
}

// random returns a batch of noise.
func random(m *model.Model, o loss.Objective, n int) *model.Batch {
	dim := m.Config().Dim()
	b := &model.Batch{
		Images: make([]float32, n*dim), Noise: make([]float32, n*dim), Sigma: make([]float64, n), Weight: make([]float64, n),
		Counter: make([]int64, n), Gradient: 1 / float64(n),
	}
	rng.FillNormal(b.Images, 1, rng.Noise, 0)
	rng.FillNormal(b.Noise, 2, rng.Noise, 0)
	for i := range n {
		b.Sigma[i] = o.Draw(0, uint64(i))
		b.Weight[i] = o.Weight(b.Sigma[i])
	}
	return b
}

// train takes steps of Adam from the initial weights and returns weights and
// average before and after, and the last gradient.
func train(t *testing.T, m *model.Model, d *model.Device, o loss.Objective) (before, after, ema, grad []float32) {
	t.Helper()
	const n = 2
	size := m.Layout().Size
	before, grad = make([]float32, size), make([]float32, size)
	if err := m.Layout().Init(before, 5); err != nil {
		t.Fatal(err)
	}
	after, ema = slices.Clone(before), slices.Clone(before)
	m1, m2 := make([]float32, size), make([]float32, size)
	mirror(t, d, after, ema, m1, m2, grad)
	program, err := m.NewLoss(o, n, true)
	if err != nil {
		t.Fatal(err)
	}
	for step := range int64(3) {
		for i := range grad {
			grad[i] = 9 // what was in it must not matter
		}
		for _, p := range m.Layout().Params {
			clear(grad[p.Offset+p.Len : (p.Offset+p.Len+15)/16*16]) // padding
		}
		if err := d.Upload(grad); err != nil {
			t.Fatal(err)
		}
		if err := program.Run(after, grad, make([]float64, n), random(m, o, n)); err != nil {
			t.Fatal(err)
		}
		u := model.Update{LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Step: step + 1, GradScale: 0.7, EMABeta: 0.9}
		if err := d.Adam(u, after, ema, m1, m2, grad); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Download(after, ema, grad); err != nil {
		t.Fatal(err)
	}
	return before, after, ema, grad
}

// mirror mirrors flat buffers until the end of the test.
func mirror(t *testing.T, d *model.Device, flat ...[]float32) {
	t.Helper()
	if err := d.Mirror(flat...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Release(flat...); err != nil {
			t.Error(err)
		}
	})
}

// A frozen buffer is part of the layout and of files, and training leaves its
// every bit alone, in the weights and in their average.
func TestFrozenIsNotTrained(t *testing.T) {
	for _, d := range devices(t) {
		m := newModel(t, fourier(t), d)
		before, after, ema, grad := train(t, m, d, loss.DefaultVE())
		frozen, elements := 0, 0
		for _, p := range m.Layout().Params {
			moved := !slices.Equal(p.View(before), p.View(after))
			if p.Frozen {
				frozen += p.Len
				if moved || !slices.Equal(p.View(before), p.View(ema)) {
					t.Errorf("%s: training changed %s", d.Name(), p.Name)
				}
				if slices.ContainsFunc(p.View(grad), func(v float32) bool { return v != 0 }) {
					t.Errorf("%s: %s has a gradient", d.Name(), p.Name)
				}
				if !slices.ContainsFunc(p.View(before), func(v float32) bool { return v != 0 }) {
					t.Errorf("%s: %s starts at zero", d.Name(), p.Name)
				}
			} else if !moved {
				t.Errorf("%s: training left %s alone", d.Name(), p.Name)
			}
			elements += p.Len
		}
		if frozen == 0 || m.Layout().Count != elements-frozen {
			t.Errorf("%d parameters counted of %d elements, %d of them frozen", m.Layout().Count, elements, frozen)
		}
		f, err := m.Snapshot(ema)
		if err != nil {
			t.Fatal(err)
		}
		_, weights, err := model.FromSnapshot(f, d)
		if err != nil || !slices.Equal(weights, ema) {
			t.Errorf("%s: the snapshot does not give the weights back: %v", d.Name(), err)
		}
	}
}

// iddpm is a small network with the twice as many channels that iDDPM has.
func iddpm(t *testing.T, table []float64) model.Config {
	t.Helper()
	p, err := precond.NewIDDPM(0.001, 0.008, 20)
	if err != nil {
		t.Fatal(err)
	}
	if table != nil {
		if p, err = p.WithTable(table); err != nil {
			t.Fatal(err)
		}
	}
	c := little()
	c.Network.OutChannels, c.Network.Dropout = 2*c.Network.InChannels, 0
	c.Precond = p
	return c
}

// D uses the first half of an iDDPM network's channels: the other half has no
// gradient.
func TestSecondHalfOfTheChannelsIsUnused(t *testing.T) {
	for _, d := range devices(t) {
		m := newModel(t, iddpm(t, nil), d)
		_, _, _, grad := train(t, m, d, loss.NewDDPMCosine(m.Config().Precond.(precond.IDDPM)))
		for _, p := range m.Layout().Params {
			if !strings.Contains(p.Name, "aux_conv.") {
				continue
			}
			half := p.Len / 2
			zero := func(v []float32) bool { return !slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) }
			if g := p.View(grad); zero(g[:half]) || !zero(g[half:]) {
				t.Errorf("%s: gradient of %s: first half zero %v, second half zero %v", d.Name(), p.Name, zero(g[:half]), zero(g[half:]))
			}
		}
	}
}

func TestChannelFaults(t *testing.T) {
	for what, change := range map[string]func(*model.Config){
		"twice the channels with edm": func(c *model.Config) { c.Network.OutChannels = 6 },
		"one channel less":            func(c *model.Config) { c.Network.OutChannels = 2 },
		"no preconditioning":          func(c *model.Config) { c.Precond = nil },
	} {
		c := little()
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if err := iddpm(t, nil).Validate(); err != nil {
		t.Error(err)
	}
}

// A snapshot keeps its iDDPM network's noise levels to the bit, also those that
// no formula gives, and a damaged table is refused.
func TestSnapshotKeepsTheTable(t *testing.T) {
	for _, table := range [][]float64{nil, {math.Pi, math.Sqrt2, 1.0 / 3, 0}} {
		c := iddpm(t, table)
		m := newModel(t, c, model.Portable())
		f, err := m.Snapshot(make([]float32, m.Layout().Size))
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := safetensors.Write(&file, f); err != nil {
			t.Fatal(err)
		}
		if f, err = safetensors.Parse(file.Bytes()); err != nil {
			t.Fatal(err)
		}
		again, _, err := model.FromSnapshot(f, model.Portable())
		if err != nil {
			t.Fatal(err)
		}
		want, got := c.Precond.(precond.IDDPM), again.Config().Precond.(precond.IDDPM)
		if !got.Equal(want) {
			t.Errorf("levels %v, were %v", got.Table(), want.Table())
		}
		f.Tensors["u"] = safetensors.FromFloat32s([]float32{1, 2, 0}, 3)
		if _, _, err := model.FromSnapshot(f, model.Portable()); err == nil || !strings.Contains(err.Error(), "tensor u") {
			t.Errorf("a rising table: %v", err)
		}
		delete(f.Tensors, "u")
		again, _, err = model.FromSnapshot(f, model.Portable())
		if err != nil {
			t.Fatal(err)
		}
		formula, err := precond.New(precond.IDDPMName, want.Params())
		if err != nil {
			t.Fatal(err)
		}
		if !again.Config().Precond.(precond.IDDPM).Equal(formula.(precond.IDDPM)) {
			t.Error("without a table the formula's levels are not used")
		}
	}
}
