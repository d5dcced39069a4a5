package sample

import (
	"fmt"
	"math"
	"testing"

	"edm/internal/gmm"
)

// TestSolverOrder measures the order of every solver on a mixture of Gaussians
// with a closed-form denoiser: the slope of ln(error) over ln(1/N) at sigma_min,
// against a run of many steps of rk4 from the same latents. Stochastic solvers
// are measured in their deterministic form. The step from sigma_min to 0 is left
// out: its error depends on sigma_min alone, not on N.
func TestSolverOrder(t *testing.T) {
	for _, name := range Solvers() {
		info, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Order > 0 && !info.Adaptive {
			t.Run(name, func(t *testing.T) { checkOrder(t, deterministic(options(name, 64)), info.Order) })
		}
	}
}

// TestFamilyOrder measures members of families of solvers: the place of the
// inner evaluation, the number of slopes kept, and other processes than EDM's.
func TestFamilyOrder(t *testing.T) {
	for _, alpha := range []float64{0.5, 2. / 3} {
		o := options("heun", 64)
		o.Alpha = alpha
		t.Run(fmt.Sprintf("heun-alpha-%.2f", alpha), func(t *testing.T) { checkOrder(t, o, 2) })
	}
	for order := 1; order <= 3; order++ {
		o := options("lms", 64)
		o.Order = order
		t.Run(fmt.Sprintf("lms-%d", order), func(t *testing.T) { checkOrder(t, o, float64(order)) })
	}
	for _, place := range []float64{0.25, 1} {
		o := deterministic(options("dpmpp-sde", 64))
		o.R = place
		t.Run(fmt.Sprintf("dpmpp-sde-r-%.2f", place), func(t *testing.T) { checkOrder(t, o, 2) })
	}
	for _, c := range []struct{ disc, schedule, scaling string }{
		{"edm", "ve", "none"}, {"edm", "vp", "vp"}, {"vp", "vp", "vp"}, {"ve", "ve", "none"},
	} {
		for _, name := range []string{"euler", "heun", "rk4"} {
			o := options(name, 64)
			o.Disc, o.Schedule, o.Scaling = c.disc, c.schedule, c.scaling
			info, err := Describe(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%s-%s-%s-%s", name, c.disc, c.schedule, c.scaling), func(t *testing.T) { checkOrder(t, o, info.Order) })
		}
	}
}

// deterministic returns o without fresh noise.
func deterministic(o Settings) Settings {
	o.Eta, o.Beta, o.SNoise = 0, 0, 1
	return o
}

// checkOrder measures the order of o's solver, whatever o's number of steps, and
// holds it to want within 5 %.
func checkOrder(t *testing.T, o Settings, want float64) {
	t.Helper()
	errs, got := measureOrder(t, o)
	for i, e := range errs {
		t.Logf("N = %4d: RMS error %.3e", orderSteps()[i], e)
	}
	t.Logf("measured order %.3f", got)
	if !(math.Abs(got-want) <= 0.05*want) {
		t.Errorf("measured order %.3f, want %g", got, want)
	}
}

// orderSteps are the numbers of steps that an order is fitted over.
func orderSteps() []int { return []int{128, 256, 512, 1024} }

// measureOrder returns the errors at orderSteps and the order fitted to them.
func measureOrder(t *testing.T, o Settings) (errs []float64, order float64) {
	t.Helper()
	den := mixture(t, 2, 0.5, 1, 0.2, -0.7, 0.9, 0.1, -1.1)
	fine := options("rk4", 4096)
	fine.SigmaMin, fine.SigmaMax = o.SigmaMin, o.SigmaMax
	exact := atSigmaMin(t, den, fine)
	var lnH, lnErr []float64
	for _, n := range orderSteps() {
		o.NumSteps = n
		e := rms(atSigmaMin(t, den, o), exact)
		errs, lnH, lnErr = append(errs, e), append(lnH, -math.Log(float64(n))), append(lnErr, math.Log(e))
	}
	return errs, fitSlope(lnH, lnErr)
}

// atSigmaMin returns the unscaled states of 32 images at the last noise level
// above 0.
func atSigmaMin(t testing.TB, den *gmm.Mixture, o Settings) []float64 {
	t.Helper()
	const dim = 2
	seeds := make([]uint64, 32)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	x, kept := make([]float64, len(seeds)*dim), make([]float64, len(seeds)*dim)
	if err := Latents(x, seeds, dim); err != nil {
		t.Fatal(err)
	}
	hook := func(s Step) error {
		if s.Index == s.NumSteps-2 {
			for j := range kept {
				kept[j] = s.X[j] / s.Scale
			}
		}
		return nil
	}
	if _, err := mustNew(t, den, o).Sample(t.Context(), Batch{X: x, Dim: dim, Hook: hook}); err != nil {
		t.Fatal(err)
	}
	return kept
}

func rms(a, b []float64) float64 {
	sum := 0.0
	for j := range a {
		sum += (a[j] - b[j]) * (a[j] - b[j])
	}
	return math.Sqrt(sum / float64(len(a)))
}

// fitSlope returns the slope of the least-squares line of y over x.
func fitSlope(x, y []float64) float64 {
	var mx, my, sxy, sxx float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	for i := range x {
		sxy += (x[i] - mx) * (y[i] - my)
		sxx += (x[i] - mx) * (x[i] - mx)
	}
	return sxy / sxx
}
