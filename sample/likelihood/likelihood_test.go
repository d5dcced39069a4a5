package likelihood

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"edm/internal/gmm"
	"edm/internal/rng"
)

// problem is a mixture with points drawn from it.
type problem struct {
	*gmm.Mixture
	dim int
	x   []float64
}

func newProblem(t testing.TB, dim, centres int, s0 float64, points int) problem {
	t.Helper()
	means := make([]float64, dim*centres)
	rng.FillNormal(means, 1, rng.Init, 0)
	for j := range means {
		means[j] *= 0.5
	}
	m, err := gmm.New(means, dim, s0)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, points*dim)
	rng.FillNormal(x, 2, rng.Init, 0)
	for j := range x {
		x[j] = means[j%len(means)] + s0*x[j]
	}
	return problem{m, dim, x}
}

func (p problem) logDensity(t testing.TB, x []float64, sigma float64) []float64 {
	t.Helper()
	l := make([]float64, len(x)/p.dim)
	if err := p.LogDensity(l, x, sigma); err != nil {
		t.Fatal(err)
	}
	return l
}

func (p problem) batch() Batch {
	b := Batch{X: p.x, Dim: p.dim}
	for i := range len(p.x) / p.dim {
		b.Seeds = append(b.Seeds, uint64(100+i))
	}
	return b
}

func (p problem) estimate(t testing.TB, o Options) Result {
	t.Helper()
	e, err := New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Estimate(t.Context(), p.batch())
	if err != nil {
		t.Fatal(err)
	}
	if want := e.NFE(p.dim); r.NFE != want {
		t.Errorf("%d evaluations, announced %d", r.NFE, want)
	}
	return r
}

func exact(solver string, steps int) Options {
	o := DefaultOptions()
	o.Trace, o.Path.Solver, o.Path.Steps = Exact, solver, steps
	return o
}

// truncation returns the RMS error of r in bits a dimension, the approximate
// prior replaced by the mixture's density where the paths ended.
func (p problem) truncation(t testing.TB, r Result, path Path) float64 {
	t.Helper()
	ends := slices.Clone(r.Latents)
	for j := range ends {
		ends[j] *= path.SigmaMax
	}
	want, end := p.logDensity(t, p.x, path.SigmaMin), p.logDensity(t, ends, path.SigmaMax)
	var sum float64
	for i := range want {
		got := r.LogDensity[i] - logNormal(ends[i*p.dim:(i+1)*p.dim], path.SigmaMax) + end[i]
		e := (got - want[i]) / float64(p.dim) / math.Ln2
		sum += e * e / float64(len(want))
	}
	return math.Sqrt(sum)
}

// The error against the closed form vanishes with the solver's order.
func TestOrderOfTheLikelihood(t *testing.T) {
	for _, c := range []struct {
		solver string
		steps  []int
		order  float64
	}{{Heun, []int{64, 128, 256}, 2}, {RK4, []int{64, 128, 256}, 4}} {
		for _, p := range []problem{newProblem(t, 16, 1, 0.5, 4), newProblem(t, 8, 4, 0.1, 4)} {
			var last float64
			for i, n := range c.steps {
				o := exact(c.solver, n)
				r := p.estimate(t, o)
				e := p.truncation(t, r, o.Path)
				t.Logf("%s, %d steps, NFE %d: %.2e bits/dim", c.solver, n, r.NFE/p.dim, e)
				if measured := math.Log2(last / e); i > 0 && !(math.Abs(measured-c.order) < 0.45) {
					t.Errorf("%s: order %.2f from %d steps to %d, want %g", c.solver, measured, c.steps[i-1], n, c.order)
				}
				last = e
			}
		}
	}
}

// DefaultPath's doc: 0.005 bits a dimension with rk4, 0.02 with heun at the same
// number of evaluations.
func TestAccuracyOfTheDefaults(t *testing.T) {
	for _, c := range []struct {
		dim, centres int
		s0           float64
	}{{16, 1, 0.5}, {16, 4, 0.05}, {16, 8, 0.2}, {16, 8, 0.01}, {8, 4, 0.1}} {
		p := newProblem(t, c.dim, c.centres, c.s0, 8)
		for solver, limit := range map[string]float64{RK4: 0.005, Heun: 0.02} {
			o := exact(solver, 32)
			if solver == Heun {
				o.Path.Steps = 64
			}
			r := p.estimate(t, o)
			e := p.truncation(t, r, o.Path)
			t.Logf("%+v, %s: %.1e bits/dim", c, solver, e)
			if !(e <= limit) {
				t.Errorf("%+v, %s: error %.2e bits/dim, want at most %g", c, solver, e, limit)
			}
		}
	}
}

// Against the true density, prior and all: for data of mean 0 the approximation
// of the prior costs about 0.5 (s0/sigma_max)^2 nats a dimension.
func TestGaussianData(t *testing.T) {
	const dim, s0 = 12, 0.5
	m, err := gmm.New(make([]float64, dim), dim, s0)
	if err != nil {
		t.Fatal(err)
	}
	p := problem{m, dim, make([]float64, 5*dim)}
	rng.FillNormal(p.x, 3, rng.Init, 0)
	for j := range p.x {
		p.x[j] *= s0
	}
	// The derivative is a multiple of I, so a random sign probe gives the trace
	// without error.
	for _, trace := range []string{Exact, Rademacher} {
		o := exact(RK4, 64)
		o.Trace = trace
		r := p.estimate(t, o)
		for i, want := range p.logDensity(t, p.x, o.Path.SigmaMin) {
			if e := math.Abs(r.LogDensity[i] - want); !(e <= dim*1e-4) {
				t.Errorf("%s: ln p of image %d is %.6f, want %.6f", trace, i, r.LogDensity[i], want)
			}
			if bits := BitsPerDim(r.LogDensity[i], dim); r.BitsPerDim[i] != bits {
				t.Errorf("bits/dim %g, want %g", r.BitsPerDim[i], bits)
			}
		}
	}
}

// Data of mean m are N(m, s0^2 + sigma_max^2) at sigma_max, not N(0, sigma_max^2): an
// image with latent z is off by m z / sigma_max nats a dimension, and by m^2 /
// (2 sigma_max^2) beside it. With m = 0.5 and z = 1 that is 9e-3 bits/dim, whatever
// the number of steps; over images it averages out.
func TestPriorOfDataWithAMean(t *testing.T) {
	const dim, s0, mean, images = 12, 0.5, 0.5, 256
	means := slices.Repeat([]float64{mean}, dim)
	m, err := gmm.New(means, dim, s0)
	if err != nil {
		t.Fatal(err)
	}
	p := problem{m, dim, make([]float64, images*dim)}
	rng.FillNormal(p.x, 3, rng.Init, 0)
	for i := range p.x {
		z := p.x[i]
		if i < dim { // an image whose latent is 1 throughout
			z = 1
		}
		p.x[i] = mean + s0*z
	}
	o := exact(RK4, 64)
	r := p.estimate(t, o)
	total := 0.0
	for i, want := range p.logDensity(t, p.x, o.Path.SigmaMin) {
		predicted := 0.0
		for _, z := range r.Latents[i*dim : (i+1)*dim] { // x / sigma_max
			x, v := z*o.Path.SigmaMax, o.Path.SigmaMax*o.Path.SigmaMax
			own := v + s0*s0
			predicted += -x*x/(2*v) + (x-mean)*(x-mean)/(2*own) + math.Log(own/v)/2
		}
		off := r.LogDensity[i] - want
		if !(math.Abs(off-predicted) <= 1e-4*dim) {
			t.Errorf("image %d: ln p is off by %.6f, want %.6f", i, off, predicted)
		}
		total += off / dim / images
		if bits := off / dim / math.Ln2; i == 0 && !(math.Abs(bits+9e-3) <= 5e-4) {
			t.Errorf("with latent 1 ln p is off by %.2e bits/dim, want -9e-3", bits)
		}
	}
	if mean := math.Abs(total / math.Ln2); !(mean < 1e-3) {
		t.Errorf("the mean over %d images is off by %.1e bits/dim", images, mean)
	}
}

// Each image's estimate is a function of its own rows, and Estimate changes no
// image.
func TestImagesAreIndependent(t *testing.T) {
	p := newProblem(t, 6, 3, 0.2, 5)
	before := slices.Clone(p.x)
	for _, trace := range Traces() {
		o := DefaultOptions()
		o.Trace, o.Path.Steps = trace, 5
		e, err := New(p, o)
		if err != nil {
			t.Fatal(err)
		}
		together, err := e.Estimate(t.Context(), p.batch())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			b := p.batch()
			b.X, b.Seeds = b.X[i*6:(i+1)*6], b.Seeds[i:i+1]
			alone, err := e.Estimate(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if alone.LogDensity[0] != together.LogDensity[i] || !slices.Equal(alone.Latents, together.Latents[i*6:(i+1)*6]) {
				t.Errorf("%s: image %d has ln p %v alone, %v in the batch", trace, i, alone.LogDensity[0], together.LogDensity[i])
			}
		}
	}
	if !slices.Equal(p.x, before) {
		t.Error("Estimate changed the images")
	}
}

// Images that are uniform over all bytes' intervals cost 8 bits a number.
func TestBitsOfUniformBytes(t *testing.T) {
	const dim = 7
	logDensity := dim * math.Log(127.5/256)
	if got := BitsPerDim(logDensity, dim); math.Abs(got-8) > 1e-12 {
		t.Errorf("uniform bytes cost %v bits, want 8", got)
	}
}

func TestDequantize(t *testing.T) {
	src := make([]uint8, 100_000)
	for j := range src {
		src[j] = uint8(j)
	}
	dst, again := make([]float64, len(src)), make([]float64, len(src))
	if err := Dequantize(dst, src, 5); err != nil {
		t.Fatal(err)
	}
	var mean, square float64
	for j, v := range dst {
		u := (v - (float64(src[j])/127.5 - 1)) * 127.5
		if !(u >= -0.5-1e-12 && u < 0.5+1e-12) {
			t.Fatalf("byte %d became %g, %g of its width away", src[j], v, u)
		}
		mean += u / float64(len(dst))
		square += u * u / float64(len(dst))
	}
	// Five standard errors of the moments of a uniform draw of width 1.
	se := 5 / math.Sqrt(float64(len(dst)))
	if math.Abs(mean) > se*math.Sqrt(1.0/12) || math.Abs(square-1.0/12) > se*math.Sqrt(1.0/180) {
		t.Errorf("mean %g and mean square %g of the noise, want 0 and 1/12", mean, square)
	}
	if err := Dequantize(again, src, 6); err != nil || slices.Equal(again, dst) {
		t.Errorf("another seed gives the same noise (%v)", err)
	}
	if err := Dequantize(dst, src[1:], 5); err == nil {
		t.Error("unequal lengths were accepted")
	}
}

func TestMean(t *testing.T) {
	mean, stdErr := Mean([]float64{1, 2, 3, 6})
	if want := math.Sqrt(14.0 / 3 / 4); mean != 3 || math.Abs(stdErr-want) > 1e-15 {
		t.Errorf("mean %v and error %v, want 3 and %v", mean, stdErr, want)
	}
	if _, stdErr := Mean([]float64{1}); !math.IsNaN(stdErr) {
		t.Errorf("the error of one number is %v, want NaN", stdErr)
	}
}

func ExampleBitsPerDim() {
	// A density of 1 over the images' unit: every number is as likely as any
	// other in an interval of width 1, which holds 127.5 bytes.
	fmt.Printf("%.4f bits/dim\n", BitsPerDim(0, 3072))
	// Output: 6.9944 bits/dim
}
