package sample

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestOneStepIsTheDenoiser: a single step goes from sigma_max straight to 0, and
// Euler's step to 0 is D itself. Annealed Langevin dynamics first stays at
// sigma_max for a while.
func TestOneStepIsTheDenoiser(t *testing.T) {
	const dim = 3
	den := mixture(t, dim, 0.5, 0.1, -0.2, 0.3)
	for _, name := range fixedStep() {
		if name == "annealed-langevin" {
			continue
		}
		s := mustNew(t, den, options(name, 1))
		x := []float64{0.5, -1.5, 2, 0, 1, -0.25}
		noisy := make([]float64, len(x))
		for j := range x {
			noisy[j] = 80 * x[j]
		}
		want := make([]float64, len(x))
		if err := den.Denoise(t.Context(), want, noisy, 80, nil); err != nil {
			t.Fatal(err)
		}
		res, err := s.Sample(t.Context(), Batch{X: x, Dim: dim, Noise: SeedNoise([]uint64{1, 2}, dim)})
		if err != nil {
			t.Fatal(err)
		}
		if res.NFE != 1 || s.NFE() != 1 {
			t.Errorf("%s: NFE %d, announced %d, want 1", name, res.NFE, s.NFE())
		}
		for j := range x {
			if !(math.Abs(x[j]-want[j]) <= 1e-12) { // 80 machine epsilons, with room
				t.Errorf("%s: x[%d] = %v, want %v", name, j, x[j], want[j])
			}
		}
	}
}

// TestImagesDoNotDependOnTheirBatch: five images at once equal five batches of
// one, bit for bit, with churn.
func TestImagesDoNotDependOnTheirBatch(t *testing.T) {
	const dim = 5
	den := mixture(t, dim, 0.3, 1, 0, -1, 0.5, 0.2, -0.4, 0.8, 0, 0.1, -1)
	seeds := []uint64{3, 1 << 33, 3, 0, 77}
	for _, name := range Solvers() {
		s := mustNew(t, den, churned(options(name, 12)))
		all := draw(t, s, seeds, dim)
		for i := range seeds {
			one := draw(t, s, seeds[i:i+1], dim)
			if !slices.Equal(one, all[i*dim:(i+1)*dim]) {
				t.Errorf("%s: image %d alone is %v, in the batch %v", name, i, one, all[i*dim:(i+1)*dim])
			}
		}
		if slices.Equal(all[:dim], all[dim:2*dim]) {
			t.Errorf("%s: two seeds gave one image", name)
		}
	}
}

// TestChurnRange: churn happens at exactly the noise levels in [S_min, S_max],
// with the number of the step as the number of the draw.
func TestChurnRange(t *testing.T) {
	for _, name := range churners() {
		o := options(name, 5)
		o.SigmaMin, o.SigmaMax, o.Rho = 1, 9, 1 // 9, 7, 5, 3, 1, 0
		o.SChurn, o.SMin, o.SMax = 1, 3, 7
		var draws []uint64
		noise := func(dst []float64, k uint64) error {
			clear(dst)
			draws = append(draws, k)
			return nil
		}
		var started []float64
		hook := func(s Step) error {
			started = append(started, s.Sigma)
			return nil
		}
		s := mustNew(t, anyRange(), o)
		if _, err := s.Sample(t.Context(), Batch{X: []float64{1, 2}, Dim: 2, Noise: noise, Hook: hook}); err != nil {
			t.Fatal(err)
		}
		if want := []uint64{1, 2, 3}; !slices.Equal(draws, want) {
			t.Errorf("%s: draws %v, want %v", name, draws, want)
		}
		up := 1 + o.SChurn/5
		if want := []float64{9, 7 * up, 5 * up, 3 * up, 1}; !slices.Equal(started, want) {
			t.Errorf("%s: steps started from %v, want %v", name, started, want)
		}
	}
}

// TestGammaIsCapped: however large S_churn, a step at most doubles the variance.
func TestGammaIsCapped(t *testing.T) {
	o := options("euler", 2)
	o.SChurn = 1e6
	hook := func(s Step) error {
		if s.Index == 0 && math.Abs(s.Sigma-80*math.Sqrt2) > 1e-12 {
			t.Errorf("tHat = %v, want 80 sqrt(2)", s.Sigma)
		}
		return nil
	}
	x := []float64{1}
	if _, err := mustNew(t, anyRange(), o).Sample(t.Context(), Batch{X: x, Dim: 1, Noise: SeedNoise([]uint64{1}, 1), Hook: hook}); err != nil {
		t.Fatal(err)
	}
}

// TestRoundedChurn: tHat is rounded too, and where that undoes the churn the
// step is deterministic.
func TestRoundedChurn(t *testing.T) {
	den := anyRange()
	den.round = math.Ceil
	var sigmas []float64
	den.denoise = func(_ context.Context, dst, _ []float64, sigma float64, _ []float32) error {
		sigmas = append(sigmas, sigma)
		clear(dst)
		return nil
	}
	o := options("euler", 3)
	o.SigmaMin, o.SigmaMax, o.Rho, o.SChurn = 2, 10, 1, 0.6 // 10, 6, 2 and gamma = 0.2
	x := []float64{1}
	if _, err := mustNew(t, den, o).Sample(t.Context(), Batch{X: x, Dim: 1, Noise: SeedNoise([]uint64{1}, 1)}); err != nil {
		t.Fatal(err)
	}
	if want := []float64{12, 8, 3}; !slices.Equal(sigmas, want) {
		t.Errorf("denoised at %v, want %v", sigmas, want)
	}
	den.round = func(sigma float64) float64 { return 2 * math.Floor(sigma/2) }
	sigmas = nil
	o.SChurn = 0.1
	noise := func([]float64, uint64) error { return errors.New("drawn") }
	if _, err := mustNew(t, den, o).Sample(t.Context(), Batch{X: x, Dim: 1, Noise: noise}); err != nil {
		t.Fatal(err)
	}
	if want := []float64{10, 6, 2}; !slices.Equal(sigmas, want) {
		t.Errorf("denoised at %v, want %v", sigmas, want)
	}
}

// TestHook: one call a step, in order, with the state at SigmaNext and the
// denoised image at Sigma.
func TestHook(t *testing.T) {
	den := mixture(t, 1, 0.5, 0.25)
	for _, name := range fixedStep() {
		s := mustNew(t, den, options(name, 6))
		sigmas := s.Sigmas()
		x, x0 := []float64{1.5}, 1.5*sigmas[0]
		calls, before := 0, x0
		hook := func(st Step) error {
			want := make([]float64, 1)
			if err := den.Denoise(t.Context(), want, []float64{before}, st.Sigma, nil); err != nil {
				return err
			}
			if st.Index != calls || st.NumSteps != 6 || st.Sigma != sigmas[calls] || st.SigmaNext != sigmas[calls+1] {
				t.Errorf("%s: call %d got %+v", name, calls, st)
			}
			if st.Denoised[0] != want[0] {
				t.Errorf("%s: step %d: denoised %v, want %v", name, calls, st.Denoised[0], want[0])
			}
			before = st.X[0]
			calls++
			return nil
		}
		if _, err := s.Sample(t.Context(), Batch{X: x, Dim: 1, Noise: SeedNoise([]uint64{1}, 1), Hook: hook}); err != nil {
			t.Fatal(err)
		}
		if calls != 6 || before != x[0] {
			t.Errorf("%s: %d calls, want 6; the last saw %v, the result is %v", name, calls, before, x[0])
		}
	}
}

func TestLabelsReachTheDenoiser(t *testing.T) {
	labels := []float32{0, 1, 1, 0}
	den := anyRange()
	den.denoise = func(_ context.Context, dst, _ []float64, _ float64, got []float32) error {
		if !slices.Equal(got, labels) {
			t.Errorf("labels %v, want %v", got, labels)
		}
		clear(dst)
		return nil
	}
	if _, err := mustNew(t, den, options("heun", 2)).Sample(t.Context(), Batch{X: make([]float64, 6), Dim: 3, Labels: labels}); err != nil {
		t.Fatal(err)
	}
}

func TestNonFiniteOutputNamesStepAndSigma(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		den := anyRange()
		den.denoise = func(_ context.Context, dst, _ []float64, sigma float64, _ []float32) error {
			clear(dst)
			if sigma == 5 {
				dst[5] = bad
			}
			return nil
		}
		o := options("euler", 5)
		o.SigmaMin, o.SigmaMax, o.Rho = 1, 9, 1
		_, err := mustNew(t, den, o).Sample(t.Context(), Batch{X: make([]float64, 8), Dim: 4})
		if err == nil || !strings.Contains(err.Error(), "step 2 of 5 at sigma 5") || !strings.Contains(err.Error(), "number 1 of image 1") {
			t.Errorf("error = %v", err)
		}
	}
}

func TestCancellation(t *testing.T) {
	for _, name := range Solvers() {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		den := anyRange()
		den.denoise = func(_ context.Context, dst, _ []float64, _ float64, _ []float32) error {
			if calls++; calls == 3 {
				cancel()
			}
			clear(dst)
			return nil
		}
		_, err := mustNew(t, den, options(name, 10)).Sample(ctx, Batch{X: []float64{1}, Dim: 1, Noise: SeedNoise([]uint64{1}, 1)})
		if !errors.Is(err, context.Canceled) || calls != 3 {
			t.Errorf("%s: error %v after %d evaluations, want context.Canceled after 3", name, err, calls)
		}
		cancel()
	}
}

// TestFailuresAreWrapped: the errors of denoiser, hook and noise come back with
// the step they happened in.
func TestFailuresAreWrapped(t *testing.T) {
	cause := errors.New("out of order")
	broken := anyRange()
	broken.denoise = func(context.Context, []float64, []float64, float64, []float32) error { return cause }
	for _, name := range Solvers() {
		o := churned(options(name, 4))
		cases := map[string]struct {
			den Denoiser
			b   Batch
		}{
			"denoiser": {broken, Batch{Noise: SeedNoise([]uint64{1}, 1)}},
			"noise":    {anyRange(), Batch{Noise: func([]float64, uint64) error { return cause }}},
			"hook":     {anyRange(), Batch{Noise: SeedNoise([]uint64{1}, 1), Hook: func(Step) error { return cause }}},
		}
		for what, c := range cases {
			c.b.X, c.b.Dim = []float64{1}, 1
			s := mustNew(t, c.den, o)
			if what == "noise" && !s.Stochastic() {
				continue
			}
			_, err := s.Sample(t.Context(), c.b)
			if !errors.Is(err, cause) || !strings.Contains(err.Error(), "step 0") {
				t.Errorf("%s: %s: error = %v", name, what, err)
			}
		}
	}
}

func TestBatchFaults(t *testing.T) {
	s := mustNew(t, anyRange(), churned(options("heun", 3)))
	noise := SeedNoise([]uint64{1}, 2)
	cases := []struct {
		want string
		b    Batch
	}{
		{"3 latents", Batch{X: make([]float64, 3), Dim: 2, Noise: noise}},
		{"0 latents", Batch{Dim: 2, Noise: noise}},
		{"numbers", Batch{X: make([]float64, 2), Noise: noise}},
		{"3 label values do not divide among 2 images", Batch{X: make([]float64, 4), Dim: 2, Labels: make([]float32, 3), Noise: noise}},
		{"latent 1 of image 0 is NaN", Batch{X: []float64{0, math.NaN()}, Dim: 2, Noise: noise}},
		{"adds fresh noise: set Noise", Batch{X: make([]float64, 2), Dim: 2}},
		{"2 seeds", Batch{X: make([]float64, 2), Dim: 2, Noise: SeedNoise([]uint64{1, 2}, 2)}},
	}
	for _, c := range cases {
		if _, err := s.Sample(t.Context(), c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error = %v, want it to say %q", err, c.want)
		}
	}
}

// TestSamplerIsReusable: a sampler that has failed, or has seen another batch
// size, gives what a new one gives.
func TestSamplerIsReusable(t *testing.T) {
	den := mixture(t, 2, 0.3, 1, 0, -1, 0.5)
	o := churned(options("heun", 8))
	want := draw(t, mustNew(t, den, o), []uint64{4, 5}, 2)
	s := mustNew(t, den, o)
	draw(t, s, []uint64{1, 2, 3, 4, 5}, 2)
	stop := errors.New("stop")
	_, err := s.Sample(t.Context(), Batch{X: make([]float64, 2), Dim: 2, Noise: SeedNoise([]uint64{1}, 2), Hook: func(Step) error { return stop }})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if got := draw(t, s, []uint64{4, 5}, 2); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestNoAllocation: once warm, a whole run allocates nothing, with churn and a
// hook.
func TestNoAllocation(t *testing.T) {
	const dim = 48
	means := make([]float64, 2*dim)
	means[0], means[dim] = 1, -1
	den := mixture(t, dim, 0.3, means...)
	seeds := []uint64{1, 2}
	x := make([]float64, len(seeds)*dim)
	steps := 0
	b := Batch{X: x, Dim: dim, Noise: SeedNoise(seeds, dim), Hook: func(Step) error { steps++; return nil }}
	for _, name := range fixedStep() {
		s := mustNew(t, den, churned(options(name, 10)))
		var failed error
		allocs := testing.AllocsPerRun(5, func() {
			if err := Latents(x, seeds, dim); err != nil {
				failed = err
			}
			if _, err := s.Sample(context.Background(), b); err != nil {
				failed = err
			}
		})
		if failed != nil {
			t.Fatal(failed)
		}
		if allocs != 0 {
			t.Errorf("%s: %g allocations a run, want 0", name, allocs)
		}
	}
	if steps == 0 {
		t.Error("the hook was never called")
	}
}
