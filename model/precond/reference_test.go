package precond

import (
	"math"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/reference"
)

// TestReferencePrecond compares the coefficients with what the reference
// network was given. D itself needs the network; package model compares it.
func TestReferencePrecond(t *testing.T) {
	reference.Each(t, "precond/*.safetensors", compareCoeffs)
}

// fromFile returns the preconditioning of a reference file, with the table of
// noise levels that its network holds.
func fromFile(t *testing.T, f *safetensors.File) Preconditioning {
	t.Helper()
	name, params := f.Metadata["preconditioner"], map[string]float64{}
	if name == EDMName || name == VEName {
		params["sigma_min"], params["sigma_max"] = reference.Number(t, f, "sigma_min"), reference.Number(t, f, "sigma_max")
	}
	p, err := New(name, params)
	if err != nil {
		t.Fatal(err)
	}
	if q, ok := p.(IDDPM); ok {
		if p, err = q.WithTable(reference.Values(t, f, "buffer.u")); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func compareCoeffs(t *testing.T, f *safetensors.File) {
	p := fromFile(t, f)
	sigmas, rounded := reference.Values(t, f, "sigma"), reference.Values(t, f, "sigma_rounded")
	noise, x, cInX := reference.Values(t, f, "c_noise"), reference.Values(t, f, "in.x"), reference.Values(t, f, "c_in_x")
	n := len(sigmas)
	if n == 0 || len(rounded) != n || len(noise) != n || len(x)%n != 0 || len(cInX) != len(x) {
		t.Fatalf("%d sigma, %d sigma_rounded, %d c_noise, %d x, %d c_in_x", n, len(rounded), len(noise), len(x), len(cInX))
	}
	// The reference computed in float32: VP's t(sigma) loses the most.
	noiseTol := 1e-6
	if p.Name() == VPName {
		noiseTol = 1e-3
	}
	dim := len(x) / n
	for i, sigma := range sigmas {
		within(t, "sigma_rounded", i, p.RoundSigma(sigma), rounded[i], 0, 1e-7)
		c := p.Coeffs(p.RoundSigma(sigma))
		within(t, "c_noise", i, c.CNoise, noise[i], noiseTol, 1e-6)
		for j := range dim {
			within(t, "c_in_x", i, c.CIn*x[i*dim+j], cInX[i*dim+j], 0, 1e-6)
		}
	}
	// exp(1e-6) - 1 in float32 is off by up to half its last digit, 6e-8.
	low, high := p.SigmaRange()
	wantLow, wantHigh := reference.Number(t, f, "sigma_min"), reference.Number(t, f, "sigma_max")
	lowTol := 0.0
	if p.Name() == VPName {
		lowTol = 0.03
	}
	within(t, "sigma_min", 0, low, wantLow, 0, 1e-6+lowTol)
	if high != wantHigh { // infinities are equal
		within(t, "sigma_max", 0, high, wantHigh, 0, 2e-6)
	}
}

// TestReferenceTable: the formula's noise levels are those that the reference
// computed in float32, to the error of that.
func TestReferenceTable(t *testing.T) {
	reference.Each(t, "precond/iddpm*.safetensors", func(t *testing.T, f *safetensors.File) {
		want, got := reference.Values(t, f, "buffer.u"), DefaultIDDPM().Table()
		if len(got) != len(want) {
			t.Fatalf("%d noise levels, want %d", len(got), len(want))
		}
		for j := range want {
			within(t, "u", j, got[j], want[j], 0, 6e-4)
		}
	})
}

func within(t *testing.T, name string, i int, got, want, atol, rtol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= atol+rtol*math.Abs(want)) {
		t.Errorf("%s, number %d = %v, want %v", name, i, got, want)
	}
}
