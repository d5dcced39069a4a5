package model_test

import (
	"slices"
	"strings"
	"testing"

	"edm/data"
	"edm/internal/rng"
	"edm/internal/testkit/detached"
	"edm/loss"
	"edm/model"
)

// fedBatch returns a batch of pixels and of noise that is drawn, and the same with
// its numbers given.
func fedBatch(t *testing.T, m *model.Model, n int) (fed, given model.Batch) {
	t.Helper()
	dim := m.Config().Dim()
	fed = newLossProblem(t, m, n).batch
	fed.Images, fed.Noise, fed.Stream = nil, nil, rng.Validate
	fed.Pixels = make([]uint8, n*dim)
	for i := range fed.Pixels {
		fed.Pixels[i] = uint8(5 * i)
	}
	given = fed
	given.Pixels, given.Stream = nil, 0
	given.Images, given.Noise = make([]float32, n*dim), make([]float32, n*dim)
	data.Normalize(given.Images, fed.Pixels)
	for i, counter := range fed.Counter {
		rng.FillNormal(given.Noise[i*dim:(i+1)*dim], fed.Seed, rng.Validate, uint64(counter))
	}
	return fed, given
}

// Pixels and noise that is drawn are the images and the noise that they stand for,
// to the bit, whoever makes them, and batches of both kinds take turns.
func TestFedBatches(t *testing.T) {
	const n = 3
	for name, d := range map[string]*model.Device{"portable": model.Portable(), "detached": model.NewDevice(&detached.Backend{})} {
		m := newModel(t, little(), d)
		l, err := m.NewLoss(loss.Default(), n, false)
		if err != nil {
			t.Fatal(err)
		}
		weights := newLossProblem(t, m, n).weights
		fed, given := fedBatch(t, m, n)
		run := func(b *model.Batch) []float64 {
			t.Helper()
			losses := make([]float64, n)
			if err := l.Run(weights, nil, losses, b); err != nil {
				t.Fatal(err)
			}
			return losses
		}
		want := run(&given)
		for turn := range 3 {
			if got := run(&fed); !slices.Equal(got, want) {
				t.Fatalf("%s, turn %d: fed %v, given %v", name, turn, got, want)
			}
			run(newOther(&given))
			fed.Counter[0]++
			if got := run(&fed); slices.Equal(got, want) {
				t.Errorf("%s: another image number has the same noise", name)
			}
			fed.Counter[0]--
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// newOther returns a batch of other images.
func newOther(b *model.Batch) *model.Batch {
	o := *b
	o.Images = slices.Clone(b.Noise)
	return &o
}

func TestBatchesThatLack(t *testing.T) {
	const n = 2
	m := newModel(t, little(), model.Portable())
	l, err := m.NewLoss(loss.Default(), n, false)
	if err != nil {
		t.Fatal(err)
	}
	weights := newLossProblem(t, m, n).weights
	for want, spoil := range map[string]func(*model.Batch){
		"give Noise, or the Stream":   func(b *model.Batch) { b.Stream = 0 },
		"1 image counters for 2":      func(b *model.Batch) { b.Counter = b.Counter[:1] },
		"batch of 0 images":           func(b *model.Batch) { b.Pixels = nil },
		"batch of 3 images":           func(b *model.Batch) { b.Pixels = b.Pixels[:3] },
		"batch of 7 images":           func(b *model.Batch) { b.Images = make([]float32, 7) },
		"and 1 weight":                func(b *model.Batch) { b.Weight = b.Weight[:1] },
		"images, 4 noise":             func(b *model.Batch) { b.Noise = make([]float32, 4) },
		"class labels for 2 images, ": func(b *model.Batch) { b.Labels = make([]float32, 1) },
	} {
		b, _ := fedBatch(t, m, n)
		spoil(&b)
		if err := l.Run(weights, nil, make([]float64, n), &b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
