package sample

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestInpaintKeepsKnownPixels: whatever the solver, known pixels end at the known
// image's values, and with most of one of the mixture's modes known the rest of
// the image is of that mode.
func TestInpaintKeepsKnownPixels(t *testing.T) {
	const dim = 6
	den := mixture(t, dim, 0.1,
		0.8, 0.8, -0.8, 0.8, -0.8, 0.5,
		-0.8, -0.8, 0.8, -0.8, 0.8, -0.5)
	known, mask := []float64{0.75, 0.85, -0.75, 0.9, 0, 0}, []float64{1, 1, 1, 1, 0, 0}
	inpainted, err := Inpaint(den, known, mask)
	if err != nil {
		t.Fatal(err)
	}
	seeds := seedsTo(6)
	for _, name := range Solvers() {
		x := draw(t, mustNew(t, inpainted, options(name, 40)), seeds, dim)
		for i := range seeds {
			row := x[i*dim : (i+1)*dim]
			for j := range 4 {
				if !(math.Abs(row[j]-known[j]) <= 1e-12) {
					t.Errorf("%s: number %d of image %d is %v where %g is known", name, j, i, row[j], known[j])
				}
			}
			if !(math.Abs(row[4]+0.8) <= 0.6) || !(math.Abs(row[5]-0.5) <= 0.6) {
				t.Errorf("%s: image %d ends in %v, want about -0.8, 0.5", name, i, row[4:])
			}
		}
	}
}

// TestInpaintOtherProcesses: there the way of a known pixel is not straight, and
// Euler's step to 0 not exact.
func TestInpaintOtherProcesses(t *testing.T) {
	den := mixture(t, 2, 0.1, 0.8, -0.8)
	inpainted, err := Inpaint(den, []float64{0.25, 0}, []float64{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range processes() {
		o.Solver, o.NumSteps = "heun", 512
		x := draw(t, mustNew(t, inpainted, o), []uint64{1, 2}, 2)
		for _, got := range []float64{x[0], x[2]} {
			if !(math.Abs(got-0.25) <= 3*o.SigmaMin) {
				t.Errorf("%s and %s: %v where 0.25 is known", o.Schedule, o.Scaling, got)
			}
		}
	}
}

// TestInpaintEveryImageItsOwn: known values and masks for each image go with
// their images, also where an adaptive solver asks for some of them.
func TestInpaintEveryImageItsOwn(t *testing.T) {
	const dim = 2
	seeds := seedsTo(5)
	known, mask := make([]float64, len(seeds)*dim), make([]float64, len(seeds)*dim)
	for i := range seeds {
		known[i*dim+i%2], mask[i*dim+i%2] = 0.1*float64(i+1), 1
	}
	for _, name := range append(adaptives(), "heun") {
		for _, den := range []Denoiser{testClasses(t), oneByOne{testClasses(t)}} {
			all, err := Inpaint(den, known, mask)
			if err != nil {
				t.Fatal(err)
			}
			x := draw(t, mustNew(t, all, options(name, 18)), seeds, dim)
			for i := range seeds {
				if got := x[i*dim+i%2]; !(math.Abs(got-0.1*float64(i+1)) <= 1e-12) {
					t.Errorf("%s: image %d has %v where %g is known", name, i, got, 0.1*float64(i+1))
				}
				one, err := Inpaint(den, known[i*dim:(i+1)*dim], mask[i*dim:(i+1)*dim])
				if err != nil {
					t.Fatal(err)
				}
				if alone := draw(t, mustNew(t, one, options(name, 18)), seeds[i:i+1], dim); !slices.Equal(alone, x[i*dim:(i+1)*dim]) {
					t.Errorf("%s: image %d alone is %v, in the batch %v", name, i, alone, x[i*dim:(i+1)*dim])
				}
			}
		}
	}
}

// TestInpaintMask: 0 leaves the network's pixel, 1 replaces it and what lies
// between blends; [Dim] values hold for every image.
func TestInpaintMask(t *testing.T) {
	den := anyRange() // answers 0
	inpainted, err := Inpaint(den, []float64{4, 4, 4, 8, 8, 8}, []float64{0, 0.25, 1})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, 6)
	if err := inpainted.Denoise(t.Context(), dst, make([]float64, 6), 1, nil); err != nil {
		t.Fatal(err)
	}
	if want := []float64{0, 1, 4, 0, 2, 8}; !slices.Equal(dst, want) {
		t.Errorf("got %v, want %v", dst, want)
	}
}

func TestInpaintFaults(t *testing.T) {
	for _, c := range []struct {
		want        string
		den         Denoiser
		known, mask []float64
	}{
		{"no denoiser", nil, []float64{1}, []float64{1}},
		{"2 known numbers do not fit a mask of 3", anyRange(), make([]float64, 2), make([]float64, 3)},
		{"0 known numbers", anyRange(), nil, make([]float64, 3)},
		{"known number 1 is NaN", anyRange(), []float64{0, math.NaN()}, []float64{0, 0}},
		{"mask number 1 is 1.5", anyRange(), []float64{0, 0}, []float64{0, 1.5}},
		{"mask number 0 is NaN", anyRange(), []float64{0, 0}, []float64{math.NaN(), 0}},
	} {
		if _, err := Inpaint(c.den, c.known, c.mask); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error = %v, want it to say %q", err, c.want)
		}
	}
	inpainted, err := Inpaint(anyRange(), make([]float64, 4), make([]float64, 4))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(adaptives(), "euler") {
		b := Batch{X: make([]float64, 6), Dim: 3, Noise: SeedNoise(seedsTo(2), 3)}
		if _, err := mustNew(t, inpainted, options(name, 4)).Sample(t.Context(), b); err == nil || !strings.Contains(err.Error(), "inpaint") {
			t.Errorf("%s: error = %v for images that do not fit the mask", name, err)
		}
	}
}

// TestSDEdit: sampling may start from noised images. On Gaussian data the exact
// result is closed: the deviation from the mean shrinks by sqrt(v / (v +
// sigma_max^2)), be it the image's or the noise's.
func TestSDEdit(t *testing.T) {
	const m, v, high = 0.6, 0.25, 0.5
	data := axes{mean: []float64{m}, variance: []float64{v}}
	const image = 1.4
	for _, name := range []string{"heun", "adaptive-ode"} {
		o := options(name, 256)
		o.SigmaMax = high
		s := mustNew(t, data, o)
		for _, latent := range []float64{-1.5, 0, 0.5} {
			x := []float64{latent}
			if _, err := s.Sample(t.Context(), Batch{X: x, Dim: 1, Image: []float64{image}}); err != nil {
				t.Fatal(err)
			}
			if want := m + (image+high*latent-m)*math.Sqrt(v/(v+high*high)); !(math.Abs(x[0]-want) <= 2e-5) {
				t.Errorf("%s: latent %g gives %.8g, want %.8g", name, latent, x[0], want)
			}
		}
	}
}

// TestSDEditForgets: the SDE forgets more of the image than the ODE. With q = v +
// sigma^2 the deviation of the mean goes as q, and the variance as q + C q^2.
func TestSDEditForgets(t *testing.T) {
	const m, v, high, image, n = 0.6, 0.25, 0.5, 1.4, 8000
	o := options("sde-heun", 128)
	o.SigmaMax = high
	s := mustNew(t, axes{mean: []float64{m}, variance: []float64{v}}, o)
	x, seeds := make([]float64, n), seedsTo(n)
	if err := Latents(x, seeds, 1); err != nil {
		t.Fatal(err)
	}
	b := Batch{X: x, Dim: 1, Image: slices.Repeat([]float64{image}, n), Noise: SeedNoise(seeds, 1)}
	if _, err := s.Sample(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	var mean, variance float64
	for _, x := range x {
		mean += x / n
	}
	for _, x := range x {
		variance += (x - mean) * (x - mean) / n
	}
	ratio := v / (v + high*high)
	wantMean, wantVariance := m+(image-m)*ratio, v-v*ratio*ratio
	t.Logf("mean %.4f, want %.4f; variance %.4f, want %.4f", mean, wantMean, variance, wantVariance)
	if !(math.Abs(mean-wantMean) <= 5*math.Sqrt(wantVariance/n)) || !(math.Abs(variance/wantVariance-1) <= 5*math.Sqrt(2./n)) {
		t.Errorf("mean %g and variance %g, want %g and %g", mean, variance, wantMean, wantVariance)
	}
}
