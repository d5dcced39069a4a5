package precond

import (
	"math"
	"testing"

	"edm/internal/reference"
	"edm/internal/safetensors"
)

// TestReferencePrecondEDM compares the coefficients with what the reference
// network was given. D itself needs the network; package model compares it.
func TestReferencePrecondEDM(t *testing.T) {
	reference.Each(t, "precond/edm*.safetensors", func(t *testing.T, f *safetensors.File) {
		p, err := New(f.Metadata["preconditioner"], map[string]float64{
			"sigma_min": reference.Number(t, f, "sigma_min"),
			"sigma_max": reference.Number(t, f, "sigma_max"),
		})
		if err != nil {
			t.Fatal(err)
		}
		sigmas, rounded := reference.Values(t, f, "sigma"), reference.Values(t, f, "sigma_rounded")
		noise, x, cInX := reference.Values(t, f, "c_noise"), reference.Values(t, f, "in.x"), reference.Values(t, f, "c_in_x")
		n := len(sigmas)
		if n == 0 || len(rounded) != n || len(noise) != n || len(x)%n != 0 || len(cInX) != len(x) {
			t.Fatalf("%d sigma, %d sigma_rounded, %d c_noise, %d x, %d c_in_x", n, len(rounded), len(noise), len(x), len(cInX))
		}
		dim := len(x) / n
		for i, sigma := range sigmas {
			within(t, "sigma_rounded", i, p.RoundSigma(sigma), rounded[i], 0, 1e-7)
			c := p.Coeffs(p.RoundSigma(sigma))
			within(t, "c_noise", i, c.CNoise, noise[i], 1e-6, 1e-6)
			for j := range dim {
				within(t, "c_in_x", i, c.CIn*x[i*dim+j], cInX[i*dim+j], 0, 1e-6)
			}
		}
	})
}

func within(t *testing.T, name string, i int, got, want, atol, rtol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= atol+rtol*math.Abs(want)) {
		t.Errorf("%s of image %d = %v, want %v", name, i, got, want)
	}
}
