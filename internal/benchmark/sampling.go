package benchmark

import (
	"context"

	"edm/internal/rng"
	"edm/sample"
)

// NFE is the number of evaluations of D in a step of Sampling.
const NFE = 35

// sampling is a sampler of the workload's denoiser.
type sampling struct {
	sampler *sample.Sampler
	latents []float64 // unit normals, the same in every step
	x       []float64
}

// draw draws the batch by Heun's method in 18 steps (EDM Alg. 1).
func (w *Workload) draw() error {
	if err := w.startEvaluating(); err != nil {
		return err
	}
	dim := w.model.Config().Dim()
	if w.sampling == nil {
		s, err := sample.New(w.denoiser, sample.EDM())
		if err != nil {
			return err
		}
		w.sampling = &sampling{s, make([]float64, w.batch*dim), make([]float64, w.batch*dim)}
		draws := rng.New(seed, rng.Latents, 0)
		for i := range w.sampling.latents {
			w.sampling.latents[i] = draws.Normal()
		}
	}
	copy(w.sampling.x, w.sampling.latents)
	_, err := w.sampling.sampler.Sample(context.Background(), sample.Batch{X: w.sampling.x, Dim: dim})
	return err
}
