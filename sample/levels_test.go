package sample

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/reference"
	"edm/model/noise"
)

// TestReferenceSigmas compares with k-diffusion's noise levels.
func TestReferenceSigmas(t *testing.T) {
	for file, set := range map[string]func(o *Settings){
		"karras":          func(o *Settings) {},
		"exponential":     func(o *Settings) { o.Disc = "exponential" },
		"polyexponential": func(o *Settings) { o.Disc, o.Rho = "polyexponential", 1.5 },
		"vp": func(o *Settings) {
			if err := o.SetDisc("vp"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		reference.Each(t, "sampler-k/sigmas-"+file+".safetensors", func(t *testing.T, f *safetensors.File) {
			o := DefaultSettings()
			o.SigmaMin = 0.02
			set(&o)
			o.NumSteps = int(reference.Number(t, f, "n"))
			got, want := mustNew(t, anyRange(), o).Sigmas(), reference.Values(t, f, "sigmas")
			if len(got) != len(want) {
				t.Fatalf("%d noise levels, want %d", len(got), len(want))
			}
			for i, w := range want {
				if !(math.Abs(got[i]-w) <= 1e-12*w) {
					t.Errorf("level %d is %.16g, want %.16g", i, got[i], w)
				}
			}
		})
	}
}

// TestProcessDerivatives: sigma' and s' are the derivatives of sigma and s, and
// time inverts sigma.
func TestProcessDerivatives(t *testing.T) {
	for _, schedule := range Schedules() {
		for _, scaling := range Scalings() {
			p := (&Settings{Schedule: schedule, Scaling: scaling}).process().filled()
			scale := func(t float64) float64 { return p.Scaling.S(p.Schedule.Sigma(t)) }
			for _, x := range []float64{1e-3, 0.01, 0.2, 0.5, 1} {
				const h = 1e-4
				up, down := x*(1+h), x*(1-h)
				near := func(what string, got, want float64) {
					if !(math.Abs(got-want) <= 1e-6*math.Abs(want)) {
						t.Errorf("%s, %s at t = %g: %s is %.12g, want %.12g", schedule, scaling, x, what, got, want)
					}
				}
				near("sigma'", p.Schedule.Deriv(x), (p.Schedule.Sigma(up)-p.Schedule.Sigma(down))/(2*h*x))
				near("s'/s", p.slope(x).Linear, (math.Log(scale(up))-math.Log(scale(down)))/(2*h*x))
				near("time", p.Schedule.Time(p.Schedule.Sigma(x)), x)
			}
		}
	}
}

// TestRateOfTheRange: the published range gives the published constants.
func TestRateOfTheRange(t *testing.T) {
	published := noise.DefaultVP()
	got := noise.FitVP(published.Sigma(1e-3), published.Sigma(1), 1e-3)
	if math.Abs(got.BetaD-19.9) > 1e-9 || math.Abs(got.BetaMin-0.1) > 1e-9 {
		t.Errorf("rate %+v, want %+v", got, published)
	}
}

// TestGoldenSchedule holds the default noise levels to those printed from EDM
// Eq. 5, to the six digits printed.
func TestGoldenSchedule(t *testing.T) {
	want := []float64{80, 57.586, 40.7856, 28.3746, 19.3525, 12.9101, 8.40094, 5.31519, 3.25682,
		1.92334, 1.08817, .585348, .296442, .139516, .0599473, .0229345, .00752802, .002, 0}
	got := mustNew(t, anyRange(), DefaultSettings()).Sigmas()
	if len(got) != len(want) {
		t.Fatalf("%d noise levels, want %d", len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 5e-6*want[i]) {
			t.Errorf("t_%d = %.8g, want %.6g", i, got[i], want[i])
		}
	}
}

func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "steps")
		lo := math.Exp(rapid.Float64Range(-9, 3).Draw(t, "ln sigma_min"))
		hi := lo * math.Exp(rapid.Float64Range(0.1, 12).Draw(t, "ln ratio"))
		o := DefaultSettings()
		o.NumSteps, o.SigmaMin, o.SigmaMax = n, lo, hi
		o.Disc = rapid.SampledFrom([]string{"edm", "vp", "ve", "exponential", "polyexponential", "linear"}).Draw(t, "disc")
		if d, _ := discretizationByName(o.Disc); d.usesRho {
			o.Rho = rapid.Float64Range(0.5, 4).Draw(t, "rho")
		}
		if o.Disc == "vp" && !noise.FitVP(lo, hi, o.EpsilonS).Rises(o.EpsilonS) {
			return // no such process
		}
		s, err := NewNamed(anyRange(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Sigmas()
		if len(got) != n+1 || got[0] != hi || got[n] != 0 || (n > 1 && got[n-1] != lo) {
			t.Fatalf("%d steps from %g to %g: %v", n, hi, lo, got)
		}
		for i := range n {
			if !(got[i] > got[i+1]) {
				t.Fatalf("t_%d = %g is not above t_%d = %g", i, got[i], i+1, got[i+1])
			}
		}
	})
}

// TestScheduleIsLinearAtRhoOne: rho = 1 spaces the noise levels evenly.
func TestScheduleIsLinearAtRhoOne(t *testing.T) {
	if diff := cmp.Diff([]float64{9, 7, 5, 3, 1}, (Karras{Min: 1, Max: 9, Rho: 1}).Sigmas(5)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRangeIsClippedWithANote(t *testing.T) {
	den := fake{min: 0.02, max: 50}
	s := mustNew(t, den, DefaultSettings())
	sigmas := s.Sigmas()
	if sigmas[0] != 50 || sigmas[17] != 0.02 || sigmas[18] != 0 {
		t.Errorf("noise levels %v, want 50 .. 0.02, 0", sigmas)
	}
	want := []string{
		"sigma_min 0.002 raised to 0.02, the lowest noise level of the network",
		"sigma_max 80 lowered to 50, the highest noise level of the network",
	}
	if diff := cmp.Diff(want, s.Notes()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if notes := mustNew(t, anyRange(), DefaultSettings()).Notes(); len(notes) != 0 {
		t.Errorf("notes %q where nothing was clipped", notes)
	}
}

func TestSigmasAreRounded(t *testing.T) {
	den := anyRange()
	den.round = func(sigma float64) float64 { return math.Ceil(sigma) }
	o := options("euler", 5)
	o.SigmaMin, o.SigmaMax, o.Rho = 0.5, 9.5, 1
	if diff := cmp.Diff([]float64{10, 8, 5, 3, 1, 0}, mustNew(t, den, o).Sigmas()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestImpossibleSchedules(t *testing.T) {
	tiny := DefaultSettings()
	tiny.Rho = 1e-3
	fewLevels := DefaultSettings()
	fewLevels.Disc, fewLevels.SigmaMin, fewLevels.SigmaMax = "iddpm", 1.0001, 1.0002
	toZero := anyRange()
	toZero.round = math.Floor
	cases := []struct {
		want string
		den  Denoiser
		o    Settings
	}{
		{"lie outside the network's 100 to 200", fake{min: 100, max: 200}, DefaultSettings()},
		{"lie outside the network's 0 to 0.001", fake{min: 0, max: 0.001}, DefaultSettings()},
		{"no level of sample.IDDPMLevels lies between", anyRange(), fewLevels},
		{"an exponent nearer 7", anyRange(), tiny},
		{"is 0 after", toZero, DefaultSettings()},
	}
	for _, c := range cases {
		if _, err := NewNamed(c.den, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New = %v, want an error that says %q", err, c.want)
		}
	}
	if _, err := NewNamed(nil, DefaultSettings()); err == nil {
		t.Error("New accepted no denoiser")
	}
}
