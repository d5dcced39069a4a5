package sample

import (
	"context"
	"math"
	"slices"
	"testing"

	"edm/internal/gmm"
)

// fake is a denoiser made of functions; nil ones have the plainest answer.
type fake struct {
	min, max float64
	round    func(float64) float64
	denoise  func(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error
}

func (f fake) SigmaRange() (min, max float64) { return f.min, f.max }

func (f fake) RoundSigma(sigma float64) float64 {
	if f.round == nil {
		return sigma
	}
	return f.round(sigma)
}

func (f fake) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	if f.denoise == nil {
		clear(dst)
		return nil
	}
	return f.denoise(ctx, dst, x, sigma, labels)
}

// anyRange is a fake that supports every noise level.
func anyRange() fake { return fake{min: 0, max: math.Inf(1)} }

// options returns a solver's published settings with the steps set, where it
// takes any.
func options(solver string, steps int) Settings {
	o, err := SettingsFor(solver)
	if err != nil {
		panic(err)
	}
	if info, _ := Describe(solver); !info.Adaptive {
		o.NumSteps = steps
	}
	return o
}

// fixedStep returns the solvers that take the steps they are given.
func fixedStep() []string {
	return slices.DeleteFunc(Solvers(), func(name string) bool {
		info, err := Describe(name)
		return err != nil || info.Adaptive
	})
}

// churned adds plenty of churn at every noise level, where the solver takes any.
func churned(o Settings) Settings {
	if info, _ := Describe(o.Solver); info.Churn {
		o.SChurn, o.SNoise = 30, 1.003
	}
	return o
}

// churners returns the solvers with churn.
func churners() []string { return solversUsing(useChurn) }

func mixture(t testing.TB, dim int, s0 float64, means ...float64) *gmm.Mixture {
	t.Helper()
	m, err := gmm.New(means, dim, s0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustNew(t testing.TB, den Denoiser, o Settings) *Sampler {
	t.Helper()
	s, err := NewNamed(den, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// draw samples len(seeds) images of dim numbers and checks that the sampler made
// the evaluations it announced.
func draw(t testing.TB, s *Sampler, seeds []uint64, dim int) []float64 {
	t.Helper()
	x := make([]float64, len(seeds)*dim)
	if err := Latents(x, seeds, dim); err != nil {
		t.Fatal(err)
	}
	res, err := s.Sample(t.Context(), Batch{X: x, Dim: dim, Noise: SeedNoise(seeds, dim)})
	if err != nil {
		t.Fatal(err)
	}
	if s.NFE() != 0 && res.NFE != s.NFE() {
		t.Errorf("NFE %d, announced %d", res.NFE, s.NFE())
	}
	return x
}
