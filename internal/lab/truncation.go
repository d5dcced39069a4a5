package lab

import (
	"context"
	"errors"
	"fmt"
	"math"

	"edm/sample"
)

// substeps is the number of Heun steps that stand for the exact solution over
// one step: their error is about 1/64 of that of a single one.
const substeps = 8

// Truncation is the local error of a solver's steps: what one step from a point
// of the exact solution misses of the solution at its end (EDM App. D.1).
type Truncation struct {
	Solver string
	Steps  int
	Rho    float64
	Sigma  []float64 // where the steps start
	RMS    []float64 // their errors
}

// Truncations returns the local error of Euler's and Heun's methods at the noise
// levels of each number of steps and each rho, from o's range. The last step, to
// 0, is left out.
func Truncations(ctx context.Context, p Problem, o sample.Options, steps []int, rhos []float64) ([]Truncation, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("lab: truncation: %w", err)
	}
	var all []Truncation
	for _, n := range steps {
		for _, rho := range rhos {
			o.NumSteps, o.Rho = n, rho
			some, err := p.truncation(ctx, o)
			if err != nil {
				return nil, fmt.Errorf("lab: truncation of %d steps: %w", n, err)
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// truncation follows the solution along the steps of o.
func (p Problem) truncation(ctx context.Context, o sample.Options) ([]Truncation, error) {
	s, err := sample.New(p.Denoiser, o)
	if err != nil {
		return nil, err
	}
	sigmas := s.Sigmas()
	x := make([]float64, len(p.Seeds)*p.Dim)
	if err := sample.Latents(x, p.Seeds, p.Dim); err != nil {
		return nil, err
	}
	for j := range x {
		x[j] *= sigmas[0]
	}
	out := []Truncation{{Solver: "euler"}, {Solver: "heun"}}
	for i, from := range sigmas[:len(sigmas)-2] {
		to := sigmas[i+1]
		exact, err := p.advance(ctx, "heun", x, from, to, substeps, o.Rho)
		if err != nil {
			return nil, err
		}
		for k := range out {
			t := &out[k]
			step, err := p.advance(ctx, t.Solver, x, from, to, 1, o.Rho)
			if err != nil {
				return nil, err
			}
			t.Steps, t.Rho = o.NumSteps, o.Rho
			t.Sigma, t.RMS = append(t.Sigma, from), append(t.RMS, rms(step, exact))
		}
		x = exact
	}
	return out, nil
}

// errThere ends a run at the level that it was to get to.
var errThere = errors.New("there")

// advance returns the state at noise level to, from x at level from, by a number
// of steps of a solver. It is the start of a run that ends at 0, left early.
func (p Problem) advance(ctx context.Context, solver string, x []float64, from, to float64, steps int, rho float64) ([]float64, error) {
	o := sample.DefaultOptions()
	o.Solver, o.NumSteps, o.SigmaMax, o.SigmaMin, o.Rho = solver, steps+1, from, to, rho
	s, err := sample.New(p.Denoiser, o)
	if err != nil {
		return nil, err
	}
	next := make([]float64, len(x))
	latents := make([]float64, len(x))
	for j, v := range x {
		latents[j] = v / from
	}
	b := sample.Batch{X: latents, Dim: p.Dim, Labels: p.Labels, Hook: func(step sample.Step) error {
		if math.Abs(step.SigmaNext-to) > 1e-12*to {
			return nil
		}
		copy(next, step.X)
		return errThere
	}}
	if _, err := s.Sample(ctx, b); !errors.Is(err, errThere) {
		return nil, errors.Join(fmt.Errorf("no step from noise level %g to %g", from, to), err)
	}
	return next, nil
}
