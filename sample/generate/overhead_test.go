package generate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"edm/model"
	"edm/model/precond"
	"edm/sample"
	"edm/unet"
)

// timed measures the time spent in a denoiser.
type timed struct {
	sample.Denoiser
	spent time.Duration
}

func (d *timed) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	start := time.Now()
	defer func() { d.spent += time.Since(start) }()
	return d.Denoiser.Denoise(ctx, dst, x, sigma, labels)
}

// BenchmarkOverhead measures what a sampler takes beside the evaluations of a real
// network, as a part of these: overhead-%. The draws ahead count as far as the
// network does not hide them.
func BenchmarkOverhead(b *testing.B) {
	device, err := model.OpenCPU(0)
	if err != nil {
		b.Fatal(err)
	}
	defer device.Close()
	for _, preset := range []string{"demo", "small"} {
		network, err := unet.Preset(preset)
		if err != nil {
			b.Fatal(err)
		}
		m, err := model.New(model.Config{Network: network, Precond: precond.DefaultEDM()}, device)
		if err != nil {
			b.Fatal(err)
		}
		weights := make([]float32, m.Layout().Size)
		if err := m.Layout().Init(weights, 0); err != nil {
			b.Fatal(err)
		}
		for _, solver := range []string{"heun", "rk4", "lms", "ddpm", "dpmpp-sde", "predictor-corrector"} {
			b.Run(fmt.Sprintf("%s/%s", preset, solver), func(b *testing.B) { benchmarkOverhead(b, m, weights, solver) })
		}
	}
}

func benchmarkOverhead(b *testing.B, m *model.Model, weights []float32, solver string) {
	const images = 4
	source, err := FromModel(m, weights, images)
	if err != nil {
		b.Fatal(err)
	}
	o, err := sample.SettingsFor(solver)
	if err != nil {
		b.Fatal(err)
	}
	o.NumSteps = 6
	den := &timed{Denoiser: source.Denoiser}
	sampler, err := sample.NewNamed(den, o)
	if err != nil {
		b.Fatal(err)
	}
	seeds, dim := []uint64{0, 1, 2, 3}, source.Dim()
	batch := sample.Batch{X: make([]float64, images*dim), Dim: dim, Noise: sample.SeedNoise(seeds, dim)}
	var total time.Duration
	draw := func() {
		if err := sample.Latents(batch.X, seeds, dim); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if _, err := sampler.Sample(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		total += time.Since(start)
	}
	draw() // compiles the network
	total, den.spent = 0, 0
	for b.Loop() {
		draw()
	}
	b.ReportMetric(100*(total-den.spent).Seconds()/den.spent.Seconds(), "overhead-%")
}
