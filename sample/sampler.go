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
	solver Solver
	plan   plan
	run    Run
	wants  func(draw uint64) bool // whether the solver makes a draw; nil: all
}

// New returns a sampler of den. It clips the noise levels to the network's range, which
// Notes reports, and rounds them to the network's levels. Impossible options, and a
// range outside of the network's, are errors.
func New(den Denoiser, o Options) (*Sampler, error) {
	if den == nil {
		return nil, errors.New("sample: no denoiser")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sample: options: %w", err)
	}
	p, err := newPlan(den, o)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return newSampler(den, o.Solver, p), nil
}

func newSampler(den Denoiser, solver Solver, p plan) *Sampler {
	s := &Sampler{solver: solver, plan: p, run: Run{den: den, process: p.process, Times: p.times, Sigmas: p.sigmas}}
	if k, ok := solver.(skipper); ok {
		s.wants = func(draw uint64) bool { return k.wants(&s.run, int(draw)) }
	}
	return s
}

// Notes returns the changes that New made to the options, one line each.
func (s *Sampler) Notes() []string { return slices.Clone(s.plan.notes) }

// Sigmas returns the noise levels of t_0 .. t_N, the last of them 0. A solver that
// chooses its own steps has the two ends of its range and 0.
func (s *Sampler) Sigmas() []float64 { return slices.Clone(s.run.Sigmas) }

// NFE returns the number of denoiser evaluations that one batch takes; 0 if it
// depends on the images.
func (s *Sampler) NFE() int { return s.solver.Evaluations(s.run.Steps()) }

// Stochastic reports whether Sample needs a source of noise.
func (s *Sampler) Stochastic() bool { return s.solver.Draws(s.run.Steps()) > 0 }

// Batch is the input and output of one call of Sample.
type Batch struct {
	X      []float64 // [N, Dim] row-major: unit normals going in (see Latents), images coming out
	Dim    int       // numbers in an image
	Image  []float64 // [N, Dim] images to start from, noised to the first level (SDEdit); nil to start from noise alone
	Labels []float32 // [N, LabelDim] row-major, handed to the denoiser; nil for none
	Noise  Noise     // fresh noise (see SeedNoise); needed by stochastic solvers
	Hook   func(Step) error
}

// Step describes a step to a Batch's Hook. X and Denoised are the
// sampler's own memory: they must not be changed, and are valid until the hook
// returns. An error from the hook ends the run.
//
// The images of an adaptive solver have steps of their own: it tells of every
// round of attempts in which an image moved, with NumSteps 0. Sigma and SigmaNext
// are then the highest noise levels among its unfinished images.
type Step struct {
	Index     int       // i, from 0
	NumSteps  int       // N
	Sigma     float64   // the noise level the step started from, after churn (tHat)
	SigmaNext float64   // the noise level of X
	Scale     float64   // s(t) of X, 1 unless Scaling says otherwise
	X         []float64 // the state after the step, [N, Dim], Scale times the noisy images
	Denoised  []float64 // D at the start of the step, [N, Dim]: a preview of the result
}

// Result reports a finished run.
type Result struct {
	NFE      int   // denoiser evaluations made; of an adaptive solver, the most that an image took
	ImageNFE []int // evaluations of each image, of an adaptive solver; nil for others
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
	s.beginDraws(b)
	if err := s.solver.Integrate(&s.run); err != nil {
		return Result{}, err
	}
	return Result{NFE: s.run.nfe, ImageNFE: s.run.imageNFE}, nil
}

// beginDraws starts on the first draw of noise.
func (s *Sampler) beginDraws(b Batch) {
	s.run.fresh.begin(b.Noise, s.solver.Draws(s.run.Steps()), s.wants, len(b.X))
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
	if b.Image != nil && len(b.Image) != len(b.X) {
		return fmt.Errorf("%d numbers of images to start from for %d latents, want as many", len(b.Image), len(b.X))
	}
	if j := firstNonFinite(b.Image); j >= 0 {
		return fmt.Errorf("number %d of image %d to start from is %g, want finite numbers", j%b.Dim, j/b.Dim, b.Image[j])
	}
	if s.Stochastic() && b.Noise == nil {
		return fmt.Errorf("%T with these options adds fresh noise: set Noise, for example to SeedNoise", s.solver)
	}
	return nil
}
