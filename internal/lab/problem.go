package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"edm/sample"
)

// Problem is the task of a comparison: the images of some seeds.
type Problem struct {
	Denoiser sample.Denoiser
	Dim      int       // numbers in an image
	Seeds    []uint64  // one an image
	Labels   []float32 // [len(Seeds), LabelDim] row-major; nil for none
}

// Validate returns every fault that makes sampling impossible, joined.
func (p Problem) Validate() error {
	var errs []error
	if p.Denoiser == nil {
		errs = append(errs, errors.New("no denoiser"))
	}
	if p.Dim < 1 {
		errs = append(errs, fmt.Errorf("images of %d numbers, want at least 1", p.Dim))
	}
	if len(p.Seeds) == 0 {
		errs = append(errs, errors.New("no seeds, want one for each image"))
	}
	return errors.Join(errs...)
}

// outcome is a finished run.
type outcome struct {
	x          []float64 // [N, Dim] images
	steps, nfe int
	seconds    float64 // an image
	stochastic bool
}

// span is a range of noise levels.
type span struct{ from, to float64 }

// run draws the problem's images with o. hook, which may be nil, is told of the
// steps.
func (p Problem) run(ctx context.Context, o sample.Settings, hook func(sample.Step) error) (outcome, error) {
	s, err := sample.NewNamed(p.Denoiser, o)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{steps: len(s.Sigmas()) - 1, stochastic: s.Stochastic()}
	out.x = make([]float64, len(p.Seeds)*p.Dim)
	if err := sample.Latents(out.x, p.Seeds, p.Dim); err != nil {
		return outcome{}, err
	}
	b := sample.Batch{X: out.x, Dim: p.Dim, Labels: p.Labels, Hook: hook}
	if out.stochastic {
		b.Noise = sample.SeedNoise(p.Seeds, p.Dim)
	}
	before, start := p.evaluations(), time.Now()
	result, err := s.Sample(ctx, b)
	if err != nil {
		return outcome{}, err
	}
	out.seconds = time.Since(start).Seconds() / float64(len(p.Seeds))
	out.nfe = evaluated(result)
	if n := p.evaluations() - before; n > 0 {
		out.nfe = n
	}
	if o.NumSteps == 0 { // an adaptive solver, with steps of each image's own
		out.steps = 0
	}
	return out, nil
}

// span returns the noise levels of a run with o: those that its range becomes on
// the network.
func (p Problem) span(o sample.Settings) (span, error) {
	s, err := sample.NewNamed(p.Denoiser, o)
	if err != nil {
		return span{}, err
	}
	sigmas := s.Sigmas()
	levels := span{sigmas[0], sigmas[len(sigmas)-2]}
	if levels.from == levels.to { // one step, which does not get to the lower end
		low, _ := p.Denoiser.SigmaRange()
		levels.to = p.Denoiser.RoundSigma(max(o.SigmaMin, low))
	}
	return levels, nil
}

// evaluations returns the network evaluations so far of a denoiser that counts
// them, 0 of others.
func (p Problem) evaluations() int {
	if c, ok := p.Denoiser.(interface{ Evaluations() int }); ok {
		return c.Evaluations()
	}
	return 0
}

// evaluated returns the evaluations of a run, the mean over images if they
// differ.
func evaluated(r sample.Result) int {
	if len(r.ImageNFE) == 0 {
		return r.NFE
	}
	sum := 0
	for _, n := range r.ImageNFE {
		sum += n
	}
	return int(math.Round(float64(sum) / float64(len(r.ImageNFE))))
}

// rms returns the root mean square of a - b.
func rms(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

// moments returns the mean and standard deviation over all numbers of x.
func moments(x []float64) (mean, std float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		std += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(std / float64(len(x)))
}
