package sample

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Sampler draws images from a Denoiser with fixed options. It keeps its
// workspace: after the first batch of a size it allocates nothing. It is not
// safe for concurrent use; make one for each goroutine.
type Sampler struct {
	solver solver
	notes  []string
	run    run
}

// New returns a sampler of den. The noise levels are clipped to the network's
// range, which Notes reports, and rounded to what it supports. Impossible
// options, and noise levels that the network supports none of, are errors.
func New(den Denoiser, opts Options) (*Sampler, error) {
	if den == nil {
		return nil, errors.New("sample: no denoiser")
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("sample: options: %w", err)
	}
	sigmas, notes, err := planSigmas(den, opts)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return newSampler(den, opts, sigmas, notes), nil
}

func newSampler(den Denoiser, opts Options, sigmas []float64, notes []string) *Sampler {
	method, _ := solverByName(opts.Solver)
	return &Sampler{solver: method, notes: notes, run: run{den: den, opts: opts, sigmas: sigmas}}
}

// Notes returns what New changed in the options, one line each.
func (s *Sampler) Notes() []string { return slices.Clone(s.notes) }

// Sigmas returns the noise levels t_0 .. t_N, the last of them 0.
func (s *Sampler) Sigmas() []float64 { return slices.Clone(s.run.sigmas) }

// NFE returns the number of denoiser evaluations that one batch takes.
func (s *Sampler) NFE() int { return s.solver.nfe(s.run.numSteps()) }

// Batch is what one call of Sample works on.
type Batch struct {
	X      []float64 // [N, Dim] row-major: unit normals going in (see Latents), images coming out
	Dim    int       // numbers in an image
	Labels []float32 // [N, LabelDim] row-major, handed to the denoiser; nil for none
	Noise  Noise     // fresh noise (see SeedNoise); needed when SChurn is above 0
	Hook   func(Step) error
}

// Step is what a Batch's Hook is told after each step. X and Denoised are the
// sampler's own memory: they must not be changed, and are valid until the hook
// returns. An error from the hook ends the run.
type Step struct {
	Index     int       // i, from 0
	NumSteps  int       // N
	Sigma     float64   // the noise level the step started from, after churn (tHat)
	SigmaNext float64   // the noise level of X
	X         []float64 // the state after the step, [N, Dim]
	Denoised  []float64 // D at the start of the step, [N, Dim]: a preview of the result
}

// Result is what Sample reports of a finished run.
type Result struct {
	NFE int // denoiser evaluations made
}

// Sample replaces the latents in b.X by images. Each image is a function of its
// own rows of latents, labels and noise alone. A shape that does not fit, a
// latent or a denoiser output that is not finite, a failing denoiser, noise or
// hook, and the end of ctx are errors; b.X is then undefined.
func (s *Sampler) Sample(ctx context.Context, b Batch) (Result, error) {
	if err := s.check(b); err != nil {
		return Result{}, fmt.Errorf("sample: batch: %w", err)
	}
	s.run.begin(ctx, b)
	defer s.run.end()
	if err := s.solver.integrate(&s.run); err != nil {
		return Result{}, err
	}
	return Result{NFE: s.run.nfe}, nil
}

func (s *Sampler) check(b Batch) error {
	if b.Dim < 1 || len(b.X) == 0 || len(b.X)%b.Dim != 0 {
		return fmt.Errorf("%d latents are not one or more images of %d numbers", len(b.X), b.Dim)
	}
	if n := len(b.X) / b.Dim; len(b.Labels)%n != 0 {
		return fmt.Errorf("%d label values do not divide among %d images", len(b.Labels), n)
	}
	if j := firstNonFinite(b.X); j >= 0 {
		return fmt.Errorf("latent %d of image %d is %g, want unit normals", j%b.Dim, j/b.Dim, b.X[j])
	}
	if s.run.opts.SChurn > 0 && b.Noise == nil {
		return fmt.Errorf("with S_churn %g there must be a source of noise: set Noise, for example to SeedNoise", s.run.opts.SChurn)
	}
	return nil
}
