// Package outside extends edm from another module: it samples with a solver, a
// placement of the noise levels, a preconditioning and a network of its own.
package outside

import (
	"context"
	"math"

	"edm/model"
	"edm/model/precond"
	"edm/sample"
)

// Midpoint is the midpoint method on the probability-flow ODE, with the inner
// evaluation at the mean of the times. The last step, to 0, is Euler's.
type Midpoint struct{}

// Evaluations returns 2N-1.
func (Midpoint) Evaluations(steps int) int { return 2*steps - 1 }

// Draws returns 0: the method adds no noise.
func (Midpoint) Draws(int) int { return 0 }

// Integrate implements sample.Solver.
func (Midpoint) Integrate(r *sample.Run) error {
	denoised, inner, slope := r.Buffer(0), r.Buffer(1), r.Buffer(2)
	for i, next := range r.Times[1:] {
		t := r.Times[i]
		at := r.Slope(t)
		if err := r.Denoise(denoised, r.X, i, at); err != nil {
			return err
		}
		h := next - t
		if next == 0 {
			at.Step(r.X, r.X, denoised, h)
		} else {
			at.Step(inner, r.X, denoised, h/2)
			middle := r.Slope(t + h/2)
			if err := r.Denoise(slope, inner, i, middle); err != nil {
				return err
			}
			middle.Write(slope, inner, slope)
			for j, v := range slope {
				r.X[j] += h * v
			}
		}
		if err := r.StepDone(i, at.Sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// Cosine places the noise levels like a cosine between the ends in ln sigma.
type Cosine struct{ Min, Max float64 }

// Sigmas implements sample.Levels.
func (c Cosine) Sigmas(n int) []float64 {
	sigmas := make([]float64, n)
	for i := range sigmas {
		u := (1 + math.Cos(math.Pi*float64(i)/float64(max(n-1, 1)))) / 2 // from 1 to 0
		sigmas[i] = c.Min * math.Pow(c.Max/c.Min, u)
	}
	return sigmas
}

// Velocity is the preconditioning of networks that predict the velocity of the angle
// arctan(sigma / Data) (Salimans & Ho 2022). Its coefficients are those of EDM Table 1.
type Velocity struct{ Data float64 }

// Name implements precond.Preconditioning.
func (Velocity) Name() string { return "velocity" }

// Params implements precond.Preconditioning.
func (v Velocity) Params() map[string]float64 { return map[string]float64{"data": v.Data} }

// RoundSigma implements precond.Preconditioning.
func (Velocity) RoundSigma(sigma float64) float64 { return sigma }

// SigmaRange implements precond.Preconditioning.
func (Velocity) SigmaRange() (low, high float64) { return 0, math.Inf(1) }

// Coeffs implements precond.Preconditioning.
func (v Velocity) Coeffs(sigma float64) precond.Coeffs {
	angle := math.Atan2(sigma, v.Data)
	return precond.Coeffs{
		CSkip: math.Cos(angle) * math.Cos(angle), COut: -v.Data * math.Sin(angle),
		CIn: math.Cos(angle) / v.Data, CNoise: angle,
	}
}

// Network is the best F for normally distributed data of standard deviation Velocity's
// Data: nothing is left to do.
type Network struct{}

// Evaluate implements model.Network.
func (Network) Evaluate(_ context.Context, dst, _ []float64, _ float64, _ []float32) error {
	clear(dst)
	return nil
}

// Draw returns the images [len(seeds), dim] of seeds.
func Draw(seeds []uint64, dim, steps int) ([]float64, error) {
	denoiser, err := model.Wrap(Network{}, Velocity{Data: 0.5})
	if err != nil {
		return nil, err
	}
	sampler, err := sample.New(denoiser, sample.Options{Solver: Midpoint{}, Levels: Cosine{Min: 0.002, Max: 80}, NumSteps: steps})
	if err != nil {
		return nil, err
	}
	x := make([]float64, len(seeds)*dim)
	if err := sample.Latents(x, seeds, dim); err != nil {
		return nil, err
	}
	_, err = sampler.Sample(context.Background(), sample.Batch{X: x, Dim: dim})
	return x, err
}
