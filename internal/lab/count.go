package lab

import (
	"context"
	"fmt"

	"edm/sample"
)

// costly is a denoiser that evaluates more or fewer than one network a call,
// such as a guided one.
type costly interface {
	Cost(sigma float64) int // network evaluations of one call
}

// Evaluations returns the network evaluations of one batch with o, those of all
// networks of a guided denoiser counted; 0 if they depend on the images.
func Evaluations(d sample.Denoiser, o sample.Settings) (int, error) {
	s, err := sample.NewNamed(d, o)
	if err != nil {
		return 0, err
	}
	if _, ok := d.(costly); !ok || s.NFE() == 0 {
		return s.NFE(), nil
	}
	return rehearse(d, o)
}

// rehearse counts by a run in which no network is evaluated.
func rehearse(d sample.Denoiser, o sample.Settings) (int, error) {
	l := &ledger{Denoiser: d}
	s, err := sample.NewNamed(l, o)
	if err != nil {
		return 0, err
	}
	const dim = 4 // a few numbers, so that no norm is 0
	seed := []uint64{0}
	x := make([]float64, dim)
	if err := sample.Latents(x, seed, dim); err != nil {
		return 0, err
	}
	if _, err := s.Sample(context.Background(), sample.Batch{X: x, Dim: dim, Noise: sample.SeedNoise(seed, dim)}); err != nil {
		return 0, fmt.Errorf("lab: count evaluations: %w", err)
	}
	return l.evaluations, nil
}

// ledger replaces a denoiser and counts its evaluations.
type ledger struct {
	sample.Denoiser
	evaluations int
}

// Denoise writes zeros.
func (l *ledger) Denoise(_ context.Context, dst, _ []float64, sigma float64, _ []float32) error {
	clear(dst)
	if c, ok := l.Denoiser.(costly); ok {
		l.evaluations += c.Cost(sigma)
	}
	return nil
}

// StepsFor returns the largest number of steps with which o takes at most budget
// evaluations of d's networks. A budget below the solver's least is an error
// that says how many it needs.
func StepsFor(d sample.Denoiser, o sample.Settings, budget int) (int, error) {
	steps, err := sample.StepsFor(o, budget)
	if err != nil {
		return 0, err
	}
	if _, ok := d.(costly); !ok {
		return steps, nil
	}
	return fit(d, o, budget, steps)
}

// fit returns the largest number of steps up to most within the budget,
// where more steps take more evaluations; guidance in an interval can bend that
// by a step or two, but the result is within the budget.
func fit(d sample.Denoiser, o sample.Settings, budget, most int) (int, error) {
	least := 1
	o.NumSteps = least
	n, err := Evaluations(d, o)
	if err != nil {
		return 0, err
	}
	if n > budget {
		return 0, fmt.Errorf("lab: %d evaluations are too few for solver %s with this guidance, which takes at least %d", budget, o.Solver, n)
	}
	for least < most {
		o.NumSteps = least + (most-least+1)/2
		n, err := Evaluations(d, o)
		if err != nil {
			return 0, err
		}
		if n <= budget {
			least = o.NumSteps
		} else {
			most = o.NumSteps - 1
		}
	}
	return least, nil
}
