package sample

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"edm/internal/gmm"
)

// adaptives returns the solvers that choose their own steps.
func adaptives() []string { return solversUsing(useTolerance) }

// oneByOne hides that a denoiser takes a noise level for each image.
type oneByOne struct{ Denoiser }

// spy records the sizes of the batches a denoiser is asked for.
type spy struct {
	*gmm.Classes
	rows []int
}

func (s *spy) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	s.rows = append(s.rows, len(sigmas))
	return s.Classes.DenoiseRows(ctx, dst, x, sigmas, labels)
}

func testClasses(t *testing.T) *gmm.Classes {
	t.Helper()
	c, err := gmm.NewClasses([]float64{1, 0.2, -0.7, 0.9, 0.1, -1.1}, 2, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAdaptiveRows: images with labels come out the same, bit for bit, all at
// once, by a denoiser that has no DenoiseRows, and alone; each counts its own
// evaluations, and those that have finished are not evaluated any more.
func TestAdaptiveRows(t *testing.T) {
	const dim, classes = 2, 3
	seeds := seedsTo(8)
	labels := make([]float32, len(seeds)*classes)
	for i := range seeds {
		labels[i*classes+i%classes] = 1
	}
	for _, name := range adaptives() {
		sample := func(den Denoiser, from, to int) ([]float64, Result) {
			x := make([]float64, (to-from)*dim)
			if err := Latents(x, seeds[from:to], dim); err != nil {
				t.Fatal(err)
			}
			b := Batch{X: x, Dim: dim, Labels: labels[from*classes : to*classes], Noise: SeedNoise(seeds[from:to], dim)}
			r, err := mustNew(t, den, options(name, 0)).Sample(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			return x, r
		}
		den := &spy{Classes: testClasses(t)}
		all, result := sample(den, 0, len(seeds))
		if slices.Min(result.ImageNFE) == result.NFE {
			t.Errorf("%s: every image took %d evaluations, want steps of their own", name, result.NFE)
		}
		rows, images := 0, 0
		for _, n := range den.rows {
			rows += n
		}
		for _, n := range result.ImageNFE {
			images += n
		}
		if rows != images || den.rows[len(den.rows)-1] >= len(seeds) {
			t.Errorf("%s: %d rows evaluated, the last time %d, for images with %d evaluations", name, rows, den.rows[len(den.rows)-1], images)
		}
		if got, r := sample(oneByOne{den}, 0, len(seeds)); !slices.Equal(got, all) || !slices.Equal(r.ImageNFE, result.ImageNFE) {
			t.Errorf("%s: one by one %v in %v, want %v in %v", name, got, r.ImageNFE, all, result.ImageNFE)
		}
		for i := range seeds {
			if got, r := sample(den, i, i+1); !slices.Equal(got, all[i*dim:(i+1)*dim]) || r.NFE != result.ImageNFE[i] {
				t.Errorf("%s: image %d alone is %v in %d, in the batch %v in %d",
					name, i, got, r.NFE, all[i*dim:(i+1)*dim], result.ImageNFE[i])
			}
		}
	}
}

// TestAdaptiveGivesUp: an image that would need more than max_nfe evaluations is
// an error that names it and how far it came.
func TestAdaptiveGivesUp(t *testing.T) {
	const most = 60
	for _, name := range adaptives() {
		den := &spy{Classes: testClasses(t)}
		o := tolerant(name, 1e-7)
		o.MaxNFE = most
		b := Batch{X: []float64{1, 2, 3, 4}, Dim: 2, Noise: SeedNoise(seedsTo(2), 2)}
		_, err := mustNew(t, den, o).Sample(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "image 0 is at sigma ") || !strings.Contains(err.Error(), "of at most 60 evaluations") || !strings.Contains(err.Error(), "raise max_nfe, rtol or atol") {
			t.Errorf("%s: error = %v", name, err)
		}
		images := 0
		for _, n := range den.rows {
			images += n
		}
		if images > 2*most {
			t.Errorf("%s: %d evaluations of two images, want at most %d each", name, images, most)
		}
	}
}

func TestAdaptiveNonFiniteOutput(t *testing.T) {
	for _, name := range adaptives() {
		den := anyRange()
		den.denoise = func(_ context.Context, dst, x []float64, sigma float64, _ []float32) error {
			clear(dst)
			if sigma < 5 {
				dst[1] = math.NaN()
			}
			return nil
		}
		b := Batch{X: []float64{1, 2, 3, 4}, Dim: 2, Noise: SeedNoise(seedsTo(2), 2)}
		_, err := mustNew(t, den, options(name, 0)).Sample(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "returned NaN for number 1 of image ") || !strings.Contains(err.Error(), "at sigma 4.") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// TestAdaptiveHook: the hook is told of a way down without gaps, and an error
// from it ends the run.
func TestAdaptiveHook(t *testing.T) {
	for _, name := range adaptives() {
		s := mustNew(t, testClasses(t), options(name, 0))
		seeds := seedsTo(5)
		x := make([]float64, 2*len(seeds))
		if err := Latents(x, seeds, 2); err != nil {
			t.Fatal(err)
		}
		calls, last := 0, 80.0
		hook := func(step Step) error {
			if step.Index != calls || step.NumSteps != 0 || step.Sigma != last || step.SigmaNext > step.Sigma || step.Scale != 1 {
				t.Errorf("%s: call %d after sigma %g got %d of %d from %g to %g", name, calls, last, step.Index, step.NumSteps, step.Sigma, step.SigmaNext)
			}
			calls, last = calls+1, step.SigmaNext
			return nil
		}
		b := Batch{X: x, Dim: 2, Noise: SeedNoise(seeds, 2), Hook: hook}
		if _, err := s.Sample(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if last != 0 || calls == 0 {
			t.Errorf("%s: %d calls, the last to sigma %g", name, calls, last)
		}
		stop := errors.New("stop")
		b.Hook = func(Step) error { return stop }
		if err := Latents(x, seeds, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sample(t.Context(), b); !errors.Is(err, stop) || !strings.Contains(err.Error(), "hook at step 0") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// TestAdaptiveAllocation: what a run allocates does not grow with its steps.
func TestAdaptiveAllocation(t *testing.T) {
	for _, name := range adaptives() {
		seeds := seedsTo(2)
		x := make([]float64, 4)
		b := Batch{X: x, Dim: 2, Noise: SeedNoise(seeds, 2)}
		s := mustNew(t, testClasses(t), tolerant(name, 1e-3))
		evaluations := 0
		allocs := testing.AllocsPerRun(2, func() {
			if err := Latents(x, seeds, 2); err != nil {
				t.Error(err)
			}
			r, err := s.Sample(context.Background(), b)
			if err != nil {
				t.Error(err)
			}
			evaluations = r.NFE
		})
		t.Logf("%s: %g allocations for %d evaluations", name, allocs, evaluations)
		if allocs > 60 {
			t.Errorf("%s: %g allocations in %d evaluations, want a few a run", name, allocs, evaluations)
		}
	}
}

func TestToleranceFaults(t *testing.T) {
	for _, name := range adaptives() {
		o := options(name, 0)
		o.RTol, o.ATol, o.MaxNFE, o.NumSteps = 0, 0, 0, 18
		for _, want := range []string{"rtol is 0", "atol is 0", "max_nfe is 0", "steps is 18, but solver " + name + " chooses its own"} {
			wantFault(t, o, want)
		}
	}
}
