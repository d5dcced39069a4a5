package loss

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/internal/rng"
	"edm/model/precond"
)

func objectives(t *testing.T) []Objective {
	t.Helper()
	var all []Objective
	for _, name := range Names() {
		o, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func TestNewRoundTrip(t *testing.T) {
	for _, o := range objectives(t) {
		again, err := New(o.Name(), o.Params())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o.Params(), again.Params()); diff != "" || again.Name() != o.Name() {
			t.Errorf("%s: New(Params()) differs:\n%s", o.Name(), diff)
		}
		for _, u := range []float64{0, 0.3, 0.999} {
			if o.Sigma(u) != again.Sigma(u) {
				t.Errorf("%s: sigma(%g) is %g and %g", o.Name(), u, o.Sigma(u), again.Sigma(u))
			}
		}
	}
}

// Every objective's draws lie below its quantiles as often as they should, and
// its quantiles rise.
func TestQuantilesMatchDraws(t *testing.T) {
	const n = 20000
	for _, o := range objectives(t) {
		last := 0.0
		for _, p := range []float64{0.05, 0.3, 0.5, 0.9} {
			q := o.Quantile(p)
			if !(q > last) {
				t.Errorf("%s: quantile %g is %g after %g", o.Name(), p, q, last)
			}
			last = q
			below := 0
			for i := range uint64(n) {
				if o.Draw(5, i) < q {
					below++
				}
			}
			// Five standard errors, and a level of a discrete distribution.
			if tol := 5*math.Sqrt(p*(1-p)/n) + 1.0/232; math.Abs(float64(below)/n-p) > tol {
				t.Errorf("%s: %d of %d draws below quantile %g", o.Name(), below, n, p)
			}
		}
	}
}

// The draws depend on nothing but seed and number.
func TestDrawsAreFunctionsOfTheNumber(t *testing.T) {
	for _, o := range objectives(t) {
		a, b := o.Draw(1, 7), o.Draw(2, 7)
		if o.Draw(1, 7) != a || a == b && o.Draw(1, 8) == o.Draw(2, 8) {
			t.Errorf("%s: %g and %g, then %g", o.Name(), a, b, o.Draw(1, 7))
		}
	}
}

func TestPublishedLevels(t *testing.T) {
	linear, err := New(DDPMLinearName, nil)
	if err != nil {
		t.Fatal(err)
	}
	cosine := NewDDPMCosine(precond.DefaultIDDPM())
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"VP at u = 0", DefaultVP().Sigma(0), 152.167},
		{"VE at u = 0", DefaultVE().Sigma(0), 0.02},
		{"VE at the middle", DefaultVE().Sigma(0.5), math.Sqrt(2)},
		{"DDPM, first step", linear.Sigma(0), math.Sqrt(1e-4 / (1 - 1e-4))},
		{"DDPM, last step", linear.Sigma(0.9999), math.Sqrt(1/4.0358e-5 - 1)}, // its abar_T
		{"iDDPM, first step", cosine.Sigma(0), 0.0064254},
		{"iDDPM, last step", cosine.Sigma(0.9999), 20291.17},
		{"NCSN, first scale", DefaultNCSN().Sigma(0), 0.01},
		{"NCSN, last scale", DefaultNCSN().Sigma(0.9999), 50},
		{"NCSN, ratio", DefaultNCSN().Sigma(0.5) / DefaultNCSN().Sigma(0.5-1.0/232), math.Pow(5000, 1.0/231)},
	} {
		if !(math.Abs(c.got-c.want) <= 1e-5*c.want) {
			t.Errorf("%s: %.8g, want %.8g", c.what, c.got, c.want)
		}
	}
	if n := len(cosine.Levels()); n != 1000 {
		t.Errorf("%d levels of the cosine schedule, want 1000", n)
	}
}

// DDPM's linear betas are VP's schedule sampled at t/T: the difference falls as
// 1/T.
func TestDDPMLinearIsVP(t *testing.T) {
	vp := precond.DefaultVP()
	worst := func(steps int) float64 {
		n := float64(steps)
		l, err := NewDDPMLinear(vp.BetaMin/n, (vp.BetaMin+vp.BetaD)/n, steps)
		if err != nil {
			t.Fatal(err)
		}
		var e float64
		for i, sigma := range l.Levels() {
			if at := float64(i+1) / n; at >= 0.05 { // below, beta changes within a step
				e = max(e, math.Abs(sigma/vp.Sigma(at)-1))
			}
		}
		return e
	}
	last := worst(1000)
	if last > 0.05 {
		t.Errorf("1000 published levels differ from VP's by %.3g, want within 5 %%", last)
	}
	for _, steps := range []int{2000, 4000, 8000} {
		e := worst(steps)
		if ratio := last / e; ratio < 1.9 || ratio > 2.1 {
			t.Errorf("%d steps: the difference to VP falls by %.3f, want 2", steps, ratio)
		}
		last = e
	}
}

// The losses of earlier work equal the weighted denoising loss, for any network:
// DDPM's on the predicted noise, and NCSN's on the score with lambda = sigma^2.
func TestNoiseAndScoreIdentities(t *testing.T) {
	const dim = 50
	y, n, d := make([]float64, dim), make([]float64, dim), make([]float64, dim)
	rng.FillNormal(y, 1, rng.Noise, 0)
	rng.FillNormal(n, 1, rng.Noise, 1)
	rng.FillNormal(d, 1, rng.Noise, 2)
	linear, err := New(DDPMLinearName, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sigma := range []float64{0.011, 0.3, 2, 150} {
		var denoising, eps, score float64
		for i := range dim {
			x := y[i] + sigma*n[i]
			predicted, s := (x-d[i])/sigma, (d[i]-x)/(sigma*sigma)
			denoising += math.Pow(d[i]-y[i], 2)
			eps += math.Pow(predicted-n[i], 2)
			score += sigma * sigma / 2 * math.Pow(s+n[i]/sigma, 2)
		}
		for _, c := range []struct {
			o    Objective
			want float64
		}{{linear, eps}, {NewDDPMCosine(precond.DefaultIDDPM()), eps}, {DefaultVP(), eps}, {DefaultVE(), eps}, {DefaultNCSN(), score}} {
			if got := c.o.Weight(sigma) * denoising; math.Abs(got-c.want) > 1e-9*c.want {
				t.Errorf("%s at sigma %g: %.12g, want %.12g", c.o.Name(), sigma, got, c.want)
			}
		}
	}
}

// The number of scales solves the equation of Technique 2, and is near the
// published 232 for CIFAR-10.
func TestNCSNScales(t *testing.T) {
	phi := func(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }
	for _, dim := range []int{64, 784, 3072, 3 * 64 * 64} {
		count := NCSNScales(dim, 0.01, 50)
		overlap := func(scales int) float64 {
			gamma := math.Pow(5000, 1/float64(scales-1))
			at := math.Sqrt(2*float64(dim)) * (gamma - 1)
			return phi(at+3*gamma) - phi(at-3*gamma)
		}
		if a, b := overlap(count), overlap(count-1); !(a >= 0.5 && b < 0.5) {
			t.Errorf("%d elements, %d scales: overlap %.4f, and %.4f with one less", dim, count, a, b)
		}
	}
	if n := NCSNScales(3072, 0.01, 50); n < 210 || n > 232 {
		t.Errorf("%d scales for CIFAR-10, published are 232", n)
	}
	if n := NCSNScales(4, 0.01, 50); n != 2 {
		t.Errorf("%d scales for 4 elements, want 2", n)
	}
}

func TestNewFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]float64
		want   []string
	}{
		{"eds", nil, []string{`"eds"`, "ddpm-linear"}},
		{"edm", map[string]float64{"p_mean": 1}, []string{`"p_mean"`, "P_mean"}},
		{"edm", map[string]float64{"P_std": 0, "sigma_data": -1}, []string{"P_std is 0", "sigma_data is -1"}},
		{"vp", map[string]float64{"epsilon_t": 2}, []string{"epsilon_t is 2"}},
		{"ve", map[string]float64{"sigma_max": 0.01}, []string{"sigma_max is 0.01"}},
		{"ddpm-linear", map[string]float64{"beta_T": 1}, []string{"beta_T 1"}},
		{"ddpm-linear", map[string]float64{"T": 2.5}, []string{"T is 2.5"}},
		{"ddpm-linear", map[string]float64{"beta_T": 0.9, "T": 10000}, []string{"overflows"}},
		{"ddpm-cosine", map[string]float64{"M": 0}, []string{"M is 0"}},
		{"ncsn", map[string]float64{"scales": 1}, []string{"scales is 1"}},
		{"ncsn", map[string]float64{"scales": math.NaN()}, []string{"scales is NaN"}},
		{"ncsn", map[string]float64{"sigma_min": 60}, []string{"sigma_min is 60"}},
	} {
		o, err := New(c.name, c.params)
		if err == nil {
			t.Errorf("New(%q, %v) = %+v, want an error", c.name, c.params, o)
			continue
		}
		if slices.ContainsFunc(c.want, func(part string) bool { return !strings.Contains(err.Error(), part) }) {
			t.Errorf("New(%q, %v): error %q does not mention all of %q", c.name, c.params, err, c.want)
		}
	}
	if err := (DDPM{}).Validate(); err == nil {
		t.Error("a DDPM without levels is valid")
	}
}
