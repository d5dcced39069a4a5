// Package likelihood runs the probability-flow ODE (EDM Eq. 1) upwards: from
// images to latents, and with the change of density along the way to the
// likelihood of the images (Song et al. 2021, Sec. 4.3 and App. D.2).
//
// With sigma(t) = t and s(t) = 1 the ODE is dx/dsigma = (x - D(x; sigma))/sigma.
// Its divergence is (dim - tr J)/sigma, J being the derivative of D by x, so
//
//	ln p(x(sigma_min)) = ln p(x(sigma_max)) + integral (dim - tr J) d ln sigma.
//
// Three things stand between the number and the truth. The density at sigma_max
// is taken to be N(0, sigma_max^2 I), of which the data is a small part: for data
// of mean m it is wrong by about z m / sigma_max nats for the latent z, which
// averages out over images. The density is that of the data with noise of
// sigma_min. And the integral is computed in steps, with a trace that may be
// estimated.
package likelihood

import (
	"context"
	"errors"
	"fmt"
	"math"

	"edm/sample"
)

// Differentiable is a denoiser whose derivative is known.
type Differentiable interface {
	sample.Denoiser
	// VJP writes D(x; sigma) to dst and J^T v to grad, J being the derivative of
	// D by x and v the cotangent. All four are [N, Dim] and do not alias.
	VJP(ctx context.Context, dst, grad, x []float64, sigma float64, cotangent []float64, labels []float32) error
}

// The ways to compute the trace of J.
const (
	// Rademacher estimates it by v J v with v of random signs (Hutchinson 1989),
	// which has the least variance of all independent draws.
	Rademacher = "rademacher"
	// Gaussian does so with unit normal v (Skilling 1989).
	Gaussian = "gaussian"
	// Exact sums the diagonal, with as many products as an image has numbers: it
	// is for small ones.
	Exact = "exact"
)

// Traces returns the names that Options.Trace takes.
func Traces() []string { return []string{Rademacher, Gaussian, Exact} }

// Options are those of an Estimator.
type Options struct {
	Path   Path
	Trace  string // a name in Traces
	Probes int    // v for each image, kept over the whole path; their spread gives the standard error. 1 with Exact
}

// DefaultOptions returns DefaultPath with one Rademacher probe.
func DefaultOptions() Options { return Options{Path: DefaultPath(), Trace: Rademacher, Probes: 1} }

const maxProbes = 10_000

// Validate reports every option that makes no sense, joined into one error.
func (o Options) Validate() error {
	errs := []error{o.Path.Validate()}
	switch o.Trace {
	case Rademacher, Gaussian:
		if o.Probes < 1 || o.Probes > maxProbes {
			errs = append(errs, fmt.Errorf("probes is %d, want 1 to %d", o.Probes, maxProbes))
		}
	case Exact:
		if o.Probes != 1 {
			errs = append(errs, fmt.Errorf("probes is %d, want 1 for the exact trace, which is not random", o.Probes))
		}
	default:
		errs = append(errs, fmt.Errorf("trace is %q, want rademacher, gaussian or exact", o.Trace))
	}
	return errors.Join(errs...)
}

// Batch is the input of one call of Estimate.
type Batch struct {
	X      []float64 // [N, Dim] row-major: images in [-1, 1], dequantised; not changed
	Dim    int       // numbers in an image
	Labels []float32 // [N, LabelDim] row-major, handed to the denoiser; nil for none
	Seeds  []uint64  // [N], of the probes; nil for an exact trace
}

// Result is the output of Estimate.
type Result struct {
	LogDensity []float64 // [N], ln p(x; sigma_min) in nats, in the units of the images
	StdErr     []float64 // [N], its standard error from the spread of the probes; 0 for an exact trace, NaN for one probe
	BitsPerDim []float64 // [N], of the 8-bit image: see BitsPerDim
	Latents    []float64 // [N, Dim], x(sigma_max)/sigma_max: the latents of a sampler
	NFE        int       // evaluations of D and its derivative made for each image
}

// Estimator computes likelihoods. It keeps its workspace and is for one
// goroutine at a time.
type Estimator struct {
	flow    flow
	options Options
}

// New returns an estimator for a denoiser. Its noise levels are clipped to the
// network's range, which Notes reports.
func New(den Differentiable, o Options) (*Estimator, error) {
	if den == nil {
		return nil, errors.New("likelihood: no denoiser")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("likelihood: options: %w", err)
	}
	f, err := newFlow(den, o.Path)
	if err != nil {
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	f.derivative = den.VJP
	return &Estimator{f, o}, nil
}

// Notes returns the changes that New made to the options, one line each.
func (e *Estimator) Notes() []string { return e.flow.levels.notes }

// NFE returns the evaluations of D and its derivative that Estimate makes for
// each image of dim numbers.
func (e *Estimator) NFE(dim int) int { return e.flow.levels.evaluations() * e.products(dim) }

// products returns the number of products with J for one trace.
func (e *Estimator) products(dim int) int {
	if e.options.Trace == Exact {
		return dim
	}
	return e.options.Probes
}

// Estimate returns the likelihood of each image. It is a function of the image,
// its label and its seed alone, since the steps are the same for all.
func (e *Estimator) Estimate(ctx context.Context, b Batch) (Result, error) {
	if err := e.check(b); err != nil {
		return Result{}, fmt.Errorf("likelihood: batch: %w", err)
	}
	n := len(b.X) / b.Dim
	x := append([]float64(nil), b.X...)
	e.flow.begin(ctx, b.Dim, b.Labels, newProbes(e.options, b))
	defer e.flow.end()
	if err := e.flow.up(x); err != nil {
		return Result{}, fmt.Errorf("likelihood: %w", err)
	}
	r := Result{
		LogDensity: make([]float64, n), StdErr: make([]float64, n), BitsPerDim: make([]float64, n),
		Latents: x, NFE: e.flow.nfe,
	}
	_, sigmaMax := e.flow.levels.ends()
	columns := len(e.flow.volume) / n
	for i := range n {
		row := x[i*b.Dim : (i+1)*b.Dim]
		prior := logNormal(row, sigmaMax)
		mean, stdErr := meanAndError(e.flow.volume[i*columns : (i+1)*columns])
		if e.options.Trace == Exact {
			stdErr = 0
		}
		r.LogDensity[i], r.StdErr[i] = prior+mean, stdErr
		r.BitsPerDim[i] = BitsPerDim(prior+mean, b.Dim)
		for j := range row {
			row[j] /= sigmaMax
		}
	}
	return r, nil
}

func (e *Estimator) check(b Batch) error {
	if err := checkImages(b.X, b.Dim, b.Labels); err != nil {
		return err
	}
	n := len(b.X) / b.Dim
	if e.options.Trace != Exact && len(b.Seeds) != n {
		return fmt.Errorf("%d seeds for %d images: every image needs one for its probes", len(b.Seeds), n)
	}
	return nil
}

// logNormal returns ln N(x; 0, sigma^2 I).
func logNormal(x []float64, sigma float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return -sum/(2*sigma*sigma) - 0.5*float64(len(x))*math.Log(2*math.Pi*sigma*sigma)
}

// meanAndError returns the mean of independent estimates and its standard
// error, NaN for a single one.
func meanAndError(v []float64) (mean, stdErr float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	var sum float64
	for _, x := range v {
		sum += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sum / float64(len(v)-1) / float64(len(v)))
}
