package frechet

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"edm/checkpoints/safetensors"
	"edm/internal/rng"
	"edm/internal/testkit/reference"
)

func TestReferenceFrechet(t *testing.T) {
	reference.Each(t, "fid/*.safetensors", func(t *testing.T, f *safetensors.File) {
		var means [2][]float64
		var covariances [2]*mat.SymDense
		for k, name := range []string{"a", "b"} {
			shape := f.Tensors["features."+name].Shape
			m := measure(t, reference.Values(t, f, "features."+name), shape[1])
			mean, covariance, err := m.Gaussian()
			if err != nil {
				t.Fatal(err)
			}
			within(t, "mu."+name, mean, reference.Values(t, f, "mu."+name), 1e-12)
			within(t, "sigma."+name, values(covariance), reference.Values(t, f, "sigma."+name), 1e-12)
			means[k], covariances[k] = mean, covariance
		}
		got, err := Distance(means[0], covariances[0], means[1], covariances[1])
		if err != nil {
			t.Fatal(err)
		}
		within(t, "fid", []float64{got}, reference.Values(t, f, "fid"), 1e-11)
	})
}

// within compares with an error relative to the largest value.
func within(t *testing.T, name string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", name, len(got), len(want))
	}
	size, e := 0.0, 0.0
	for i, v := range want {
		size, e = max(size, math.Abs(v)), max(e, math.Abs(got[i]-v))
	}
	t.Logf("%s: relative error %.1e", name, e/size)
	if !(e <= tolerance*size) {
		t.Errorf("%s differs by %.1e of its largest value, want at most %.0e", name, e/size, tolerance)
	}
}

func values(s *mat.SymDense) []float64 {
	n := s.SymmetricDim()
	var out []float64
	for i := range n {
		for j := range n {
			out = append(out, s.At(i, j))
		}
	}
	return out
}

func measure(t testing.TB, samples []float64, dim int) *Moments {
	t.Helper()
	m, err := NewMoments(dim)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(samples) > 0; samples = samples[dim:] {
		if err := m.Add(samples[:dim]); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// gaussian returns a mean and a covariance with eigenvalues over some decades.
func gaussian(dim int, seed uint64) ([]float64, *mat.SymDense) {
	mean := make([]float64, dim)
	rng.FillNormal(mean, seed, rng.Noise, 0)
	a := mat.NewDense(dim, dim, nil)
	rng.FillNormal(a.RawMatrix().Data, seed, rng.Noise, 1)
	for i := range dim {
		a.Set(i, 0, a.At(i, 0)*1e3)
	}
	var s mat.SymDense
	s.SymOuterK(1, a)
	return mean, &s
}

func mustDistance(t rapid.TB, mu1 []float64, s1 *mat.SymDense, mu2 []float64, s2 *mat.SymDense) float64 {
	t.Helper()
	d, err := Distance(mu1, s1, mu2, s2)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDistanceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 12).Draw(t, "dim")
		mu1, s1 := gaussian(dim, rapid.Uint64().Draw(t, "seed 1"))
		mu2, s2 := gaussian(dim, rapid.Uint64().Draw(t, "seed 2"))
		scale := mat.Trace(s1) + mat.Trace(s2)
		if d := mustDistance(t, mu1, s1, mu1, s1); math.Abs(d) > 1e-12*scale {
			t.Fatalf("distance to itself %g at a trace of %g", d, scale)
		}
		d, back := mustDistance(t, mu1, s1, mu2, s2), mustDistance(t, mu2, s2, mu1, s1)
		if math.Abs(d-back) > 1e-12*scale || d < -1e-12*scale {
			t.Fatalf("distance %g, and %g back, at a trace of %g", d, back, scale)
		}
		shifted, want := make([]float64, dim), 0.0
		for i, v := range mu2 {
			shifted[i] = mu1[i] + v
			want += v * v
		}
		if d := mustDistance(t, mu1, s1, shifted, s1); math.Abs(d-want) > 1e-12*scale+1e-12*want {
			t.Fatalf("distance %g after a shift, want its square %g", d, want)
		}
	})
}

// For diagonal covariances the distance is |mu1 - mu2|^2 + |s1 - s2|^2 with the
// standard deviations s, also where they are 0.
func TestDistanceOfDiagonalGaussians(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 8).Draw(t, "dim")
		vector := func(name string) []float64 {
			return rapid.SliceOfN(rapid.Float64Range(0, 10), dim, dim).Draw(t, name)
		}
		mu1, mu2, std1, std2 := vector("mu1"), vector("mu2"), vector("std1"), vector("std2")
		s1, s2, want := mat.NewSymDense(dim, nil), mat.NewSymDense(dim, nil), 0.0
		for i := range dim {
			s1.SetSym(i, i, std1[i]*std1[i])
			s2.SetSym(i, i, std2[i]*std2[i])
			want += (mu1[i]-mu2[i])*(mu1[i]-mu2[i]) + (std1[i]-std2[i])*(std1[i]-std2[i])
		}
		if d := mustDistance(t, mu1, s1, mu2, s2); math.Abs(d-want) > 1e-11*(1+want) {
			t.Fatalf("distance %g, want %g", d, want)
		}
	})
}

func TestDistanceRefuses(t *testing.T) {
	mu, s := gaussian(3, 1)
	mu2, s2 := gaussian(2, 1)
	nan := mat.NewSymDense(3, nil)
	nan.CopySym(s)
	nan.SetSym(2, 1, math.NaN())
	negative := mat.NewSymDense(3, []float64{1, 0, 0, 0, -1, 0, 0, 0, 1})
	slightly := mat.NewSymDense(3, []float64{1, 0, 0, 0, -1e-7, 0, 0, 0, 1})
	for _, c := range []struct {
		name   string
		mu1    []float64
		sigma1 *mat.SymDense
		mu2    []float64
		sigma2 *mat.SymDense
		words  string
	}{
		{"dimensions", mu, s, mu2, s2, "3 and 2 dimensions"},
		{"mean and covariance", mu, s2, mu, s, "mean of 3 values, covariance of 2x2"},
		{"no covariance", mu, s, mu, nil, "covariance of 0x0"},
		{"nothing", nil, nil, nil, nil, "want equal sizes of 1 or more"},
		{"NaN mean", mu, s, []float64{0, math.NaN(), 0}, s, "second Gaussian: mean[1] is NaN"},
		{"infinite mean", []float64{math.Inf(1), 0, 0}, s, mu, s, "first Gaussian: mean[0] is +Inf"},
		{"NaN covariance", mu, nan, mu, s, "covariance[2,1] is NaN"},
		{"negative first", mu, negative, mu, s, "first covariance: it has the eigenvalue -1"},
		{"slightly negative", mu, slightly, mu, s, "first covariance: it has the eigenvalue -1e-07"},
		{"negative second", mu, s, mu, negative, "second covariance: it has the eigenvalue -1"},
	} {
		if _, err := Distance(c.mu1, c.sigma1, c.mu2, c.sigma2); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.words)
		}
	}
}

// Moments agree with two passes over the samples, far from the origin, however
// the samples are split and merged.
func TestMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 6).Draw(t, "dim")
		n := rapid.IntRange(dim+1, 4*blockRows).Draw(t, "n")
		samples := make([]float64, n*dim)
		rng.FillNormal(samples, rapid.Uint64().Draw(t, "seed"), rng.Noise, 0)
		for i := range samples {
			samples[i] += 1e4
		}
		m, err := NewMoments(dim)
		if err != nil {
			t.Fatal(err)
		}
		parts := []*Moments{m}
		for k := range n {
			if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
				part, err := NewMoments(dim)
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, part)
			}
			if err := parts[len(parts)-1].Add(samples[k*dim:][:dim]); err != nil {
				t.Fatal(err)
			}
		}
		for _, part := range parts[1:] {
			if err := m.Merge(part); err != nil {
				t.Fatal(err)
			}
		}
		mean, covariance, err := m.Gaussian()
		if err != nil || m.Len() != n {
			t.Fatalf("%d samples, want %d: %v", m.Len(), n, err)
		}
		wantMean, want := twoPass(samples, dim)
		for i := range dim {
			if math.Abs(mean[i]-wantMean[i]) > 1e-10 {
				t.Fatalf("mean[%d] = %g, want %g", i, mean[i], wantMean[i])
			}
			for j := range dim {
				if math.Abs(covariance.At(i, j)-want[i][j]) > 1e-9 {
					t.Fatalf("covariance[%d,%d] = %g, want %g", i, j, covariance.At(i, j), want[i][j])
				}
			}
		}
	})
}

func twoPass(samples []float64, dim int) (mean []float64, covariance [][]float64) {
	n := float64(len(samples) / dim)
	mean = make([]float64, dim)
	for i, v := range samples {
		mean[i%dim] += v / n
	}
	covariance = make([][]float64, dim)
	for i := range covariance {
		covariance[i] = make([]float64, dim)
		for j := range dim {
			for k := 0; k < len(samples); k += dim {
				covariance[i][j] += (samples[k+i] - mean[i]) * (samples[k+j] - mean[j]) / (n - 1)
			}
		}
	}
	return mean, covariance
}

func TestMomentsRefuse(t *testing.T) {
	if _, err := NewMoments(0); err == nil {
		t.Error("0 dimensions were accepted")
	}
	m := measure(t, make([]float64, 3*3), 3)
	_, _, err := m.Gaussian()
	if !errors.Is(err, ErrTooFew) || !strings.Contains(err.Error(), "3 samples in 3 dimensions") {
		t.Errorf("as many samples as dimensions: error %v", err)
	}
	for _, bad := range [][]float64{{1, 2}, {1, 2, 3, 4}, {1, math.NaN(), 3}, {1, 2, math.Inf(-1)}} {
		if err := m.Add(bad); err == nil {
			t.Errorf("sample %v was accepted", bad)
		}
	}
	other := measure(t, []float64{1, 2}, 2)
	if err := m.Merge(other); err == nil {
		t.Error("samples of 2 values were merged into samples of 3")
	}
	if m.Len() != 3 {
		t.Errorf("%d samples after refusals, want 3", m.Len())
	}
	if err := m.Add([]float64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Gaussian(); err != nil {
		t.Errorf("one sample more than dimensions: %v", err)
	}
}

func BenchmarkDistance(b *testing.B) {
	mu1, s1 := gaussian(256, 1)
	mu2, s2 := gaussian(256, 2)
	for b.Loop() {
		mustDistance(b, mu1, s1, mu2, s2)
	}
}

func BenchmarkAdd(b *testing.B) {
	m := measure(b, nil, 2048)
	sample := make([]float64, 2048)
	rng.FillNormal(sample, 1, rng.Noise, 0)
	for b.Loop() {
		if err := m.Add(sample); err != nil {
			b.Fatal(err)
		}
	}
}
