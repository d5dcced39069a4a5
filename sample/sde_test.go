package sample

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// processes are the combinations of steps, schedule and scaling that the SDE
// solvers are tested with.
func processes() []Settings {
	var all []Settings
	for _, c := range []struct{ disc, schedule, scaling string }{
		{"edm", "linear", "none"}, {"edm", "linear", "vp"}, {"edm", "ve", "none"},
		{"edm", "ve", "vp"}, {"edm", "vp", "none"}, {"vp", "vp", "vp"},
	} {
		o := DefaultSettings()
		if err := o.SetDisc(c.disc); err != nil {
			panic(err)
		}
		o.Schedule, o.Scaling = c.schedule, c.scaling
		all = append(all, o)
	}
	return all
}

// TestSDEMoments: on Gaussian data the mean and the variance of the images come
// to the data's own as steps are added, at the solvers' weak order, whatever the
// process and the rate of fresh noise. Both are exact: every step is linear in
// the latents and the draws.
func TestSDEMoments(t *testing.T) {
	for _, solver := range []string{"sde-euler", "sde-heun"} {
		info, err := Describe(solver)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range processes() {
			o.Solver = solver
			for _, beta := range []float64{0.25, 1, 3} {
				o.Beta = beta
				name := fmt.Sprintf("%s-%s-%s-%s-beta%g", solver, o.Disc, o.Schedule, o.Scaling, beta)
				t.Run(name, func(t *testing.T) { checkWeakOrder(t, o, info.Order) })
			}
		}
	}
}

// weakError returns the distance of mean and variance of o's images from those
// of the SDE's exact solution, over the data's standard deviation and variance.
func weakError(t *testing.T, o Settings) float64 {
	t.Helper()
	data := axes{mean: []float64{0.6}, variance: []float64{0.25}}
	s := mustNew(t, data, o)
	gotMean, gotVariance := impulseMoments(t, s, data)
	mean, variance := exactMoments(t, s, data)
	return math.Hypot((gotMean[0]-mean)/0.5, (gotVariance[0]-variance)/0.25)
}

// exactMoments returns mean and variance of the images of a solver that makes no
// error above sigma_min and takes Euler's step from there to 0. For Gaussian data
// of mean m and variance v, the mean of the unscaled state is off m by an amount
// proportional to q^((1+beta)/2) and its variance is q + C q^(1+beta), with q = v +
// sigma^2; at sigma_max they are 0 and sigma_max^2, not quite m and q.
func exactMoments(t *testing.T, s *Sampler, data axes) (mean, variance float64) {
	t.Helper()
	m, v, p := data.mean[0], data.variance[0], s.plan
	high, low, last := p.sigmas[0], p.sigmas[len(p.sigmas)-2], p.process.slope(p.times[len(p.times)-2])
	q, ratio := v+low*low, (v+low*low)/(v+high*high)
	grow := 1 + rateOf(t, s.solver)
	mean = m - m*math.Pow(ratio, grow/2)
	variance = q - v*math.Pow(ratio, grow)

	x := []float64{mean, mean + math.Sqrt(variance)}
	denoised := []float64{m + v/q*(x[0]-m), m + v/q*(x[1]-m)}
	x[0], x[1] = last.Scale*x[0], last.Scale*x[1]
	last.Step(x, x, denoised, -p.times[len(p.times)-2])
	return x[0], (x[1] - x[0]) * (x[1] - x[0])
}

// rateOf returns the constant beta of a solver of the general SDE, 0 of others.
func rateOf(t *testing.T, s Solver) float64 {
	t.Helper()
	var rate Rate
	switch s := s.(type) {
	case SDEEuler:
		rate = s.Beta
	case SDEHeun:
		rate = s.Beta
	case AdaptiveSDE:
		rate = s.Beta
	}
	beta, err := rate.at(1)
	if err != nil {
		t.Fatal(err)
	}
	return beta
}

func checkWeakOrder(t *testing.T, o Settings, want float64) {
	t.Helper()
	var lnH, lnErr []float64
	for n := 128; n <= 512; n *= 2 {
		o.NumSteps = n
		e := weakError(t, o)
		lnH, lnErr = append(lnH, -math.Log(float64(n))), append(lnErr, math.Log(e))
		t.Logf("N = %3d: error %.3e", n, e)
	}
	got := fitSlope(lnH, lnErr)
	t.Logf("measured weak order %.3f", got)
	if !(math.Abs(got-want) <= 0.2) {
		t.Errorf("measured weak order %.3f, want %g", got, want)
	}
}

// TestSDEWithoutNoiseIsTheODE: beta = 0 gives euler's and heun's images, bit for
// bit, and needs no noise.
func TestSDEWithoutNoiseIsTheODE(t *testing.T) {
	den := mixture(t, 2, 0.3, 1, 0, -1, 0.5)
	seeds := []uint64{4, 5, 6}
	for sde, ode := range map[string]string{"sde-euler": "euler", "sde-heun": "heun"} {
		for _, o := range processes() {
			o.Solver = ode
			want := draw(t, mustNew(t, den, o), seeds, 2)
			o.Solver, o.Beta = sde, 0
			s := mustNew(t, den, o)
			if s.Stochastic() {
				t.Errorf("%s with beta 0 asks for noise", sde)
			}
			if got := draw(t, s, seeds, 2); !slices.Equal(got, want) {
				t.Errorf("%s with beta 0, %s and %s: %v, %s gives %v", sde, o.Schedule, o.Scaling, got, ode, want)
			}
		}
	}
}

// betaSolvers returns the solvers of the general SDE.
func betaSolvers() []string { return solversUsing(useBeta) }

// TestBetaFunc: a constant function is the constant, and with one that varies
// the images still have the data's moments.
func TestBetaFunc(t *testing.T) {
	den := mixture(t, 2, 0.3, 1, 0, -1, 0.5)
	seeds := []uint64{4, 5, 6}
	for _, name := range betaSolvers() {
		o := options(name, 12)
		o.Beta = 0.7
		want := draw(t, mustNew(t, den, o), seeds, 2)
		o.Beta, o.BetaFunc = 0, func(float64) float64 { return 0.7 }
		if got := draw(t, mustNew(t, den, o), seeds, 2); !slices.Equal(got, want) {
			t.Errorf("%s: %v by a function, %v by a constant", name, got, want)
		}
	}
	data := axes{mean: []float64{0.6}, variance: []float64{0.25}}
	for _, name := range []string{"sde-euler", "sde-heun"} {
		info, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		o := options(name, 1024)
		o.Beta, o.BetaFunc = 0, func(sigma float64) float64 { return 1 + math.Sin(3*math.Log(sigma)) }
		mean, variance := impulseMoments(t, mustNew(t, data, o), data)
		bias := variance[0]/0.25 - 1
		t.Logf("%s with a rate that swings: mean %.5f, variance/data %+.5f off", name, mean[0], bias)
		if allowed := 0.02 / math.Pow(10, info.Order-1); !(math.Abs(bias) <= allowed) || !(math.Abs(mean[0]-0.6) <= 1e-3) {
			t.Errorf("%s: mean %g and variance %g, want 0.6 and 0.25", name, mean[0], variance[0])
		}
	}
}

func TestBetaFaults(t *testing.T) {
	one := func(float64) float64 { return 1 }
	o := options("sde-euler", 4)
	o.BetaFunc = one
	wantFault(t, o, "beta is 1 and BetaFunc is set")
	o = options("euler", 4)
	o.BetaFunc = one
	wantFault(t, o, "BetaFunc is set, which solver euler has no use for")
	for _, name := range betaSolvers() {
		for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
			o := options(name, 4)
			o.Beta, o.BetaFunc = 0, func(float64) float64 { return bad }
			b := Batch{X: []float64{1}, Dim: 1, Noise: SeedNoise([]uint64{1}, 1)}
			_, err := mustNew(t, anyRange(), o).Sample(t.Context(), b)
			if want := fmt.Sprintf("Beta(80) is %g", bad); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "step 0") {
				t.Errorf("%s: error %v, want it to say %q", name, err, want)
			}
		}
	}
}

// wantFault checks that o is refused with a word.
func wantFault(t *testing.T, o Settings, want string) {
	t.Helper()
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Validate = %v, want it to say %q", err, want)
	}
}
