package precond

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewRoundTrip(t *testing.T) {
	for _, name := range Names() {
		p, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name() != name {
			t.Errorf("New(%q).Name() = %q", name, p.Name())
		}
		again, err := New(name, p.Params())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("%s: New(Params()) differs (-first +again):\n%s", name, diff)
		}
	}
}

func TestNewSetsConstants(t *testing.T) {
	p, err := New("edm", map[string]float64{"sigma_data": 1.5, "sigma_min": 0.01, "sigma_max": 90})
	if err != nil {
		t.Fatal(err)
	}
	if want := (EDM{SigmaData: 1.5, SigmaMin: 0.01, SigmaMax: 90}); p != want {
		t.Errorf("New = %+v, want %+v", p, want)
	}
}

func TestNewFaults(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	cases := []struct {
		name   string
		params map[string]float64
		want   []string // every part the message must name
	}{
		{"edn", nil, []string{`"edn"`, "edm"}},
		{"", nil, []string{`""`, "edm"}},
		{"edm", map[string]float64{"sigma_dat": 1}, []string{`"sigma_dat"`, "sigma_data"}},
		{"edm", map[string]float64{"sigma_data": 0}, []string{"sigma_data is 0"}},
		{"edm", map[string]float64{"sigma_data": -1}, []string{"sigma_data is -1"}},
		{"edm", map[string]float64{"sigma_data": inf}, []string{"sigma_data is +Inf"}},
		{"edm", map[string]float64{"sigma_data": nan, "sigma_min": nan, "sigma_max": nan},
			[]string{"sigma_data is NaN", "sigma_min is NaN", "sigma_max is NaN"}},
		{"edm", map[string]float64{"sigma_min": inf}, []string{"sigma_min is +Inf"}},
		{"edm", map[string]float64{"sigma_min": -1}, []string{"sigma_min is -1"}},
		{"edm", map[string]float64{"sigma_min": 2, "sigma_max": 2}, []string{"sigma_max is 2"}},
		{"vp", map[string]float64{"sigma_data": 1}, []string{`"sigma_data"`, "epsilon_t"}},
		{"vp", map[string]float64{"beta_d": -1, "beta_min": nan, "M": 1, "epsilon_t": 1},
			[]string{"beta_d is -1", "beta_min is NaN", "M is 1", "epsilon_t is 1"}},
		{"vp", map[string]float64{"beta_d": 0, "beta_min": 0}, []string{"one of them above 0"}},
		{"vp", map[string]float64{"beta_d": 2000}, []string{"at most 700"}},
		{"ve", map[string]float64{"sigma_min": 0}, []string{"sigma_min is 0"}},
		{"ve", map[string]float64{"sigma_max": inf}, []string{"sigma_max is +Inf"}},
		{"ve", map[string]float64{"M": 1}, []string{`"M"`}},
		{"iddpm", map[string]float64{"C_1": 0, "C_2": inf, "M": 1}, []string{"C_1 is 0", "C_2 is +Inf", "M is 1"}},
		{"iddpm", map[string]float64{"M": 10.5}, []string{"M is 10.5"}},
		{"iddpm", map[string]float64{"M": 1e300}, []string{"M is 1e+300"}},
		{"iddpm", map[string]float64{"M": nan}, []string{"M is NaN"}},
		{"iddpm", map[string]float64{"u": 1}, []string{`"u"`}},
	}
	for _, c := range cases {
		p, err := New(c.name, c.params)
		if err == nil {
			t.Errorf("New(%q, %v) = %+v, want an error", c.name, c.params, p)
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(c.want), func(part string) bool {
			return strings.Contains(err.Error(), part)
		})
		if len(missing) > 0 {
			t.Errorf("New(%q, %v): error %q does not mention %q", c.name, c.params, err, missing)
		}
	}
}
