package sample

import (
	"encoding/json"
	"os"
	"testing"

	"edm/internal/gmm"
)

// recording is an integration by another program (testdata/dop853.py).
type recording struct {
	Means    []float64 `json:"means"` // [centres, 2]
	S0       float64   `json:"s0"`
	SigmaMax float64   `json:"sigma_max"`
	SigmaMin float64   `json:"sigma_min"`
	Latents  []float64 `json:"latents"` // [32, 2], of seeds 0 to 31
	X        []float64 `json:"x"`       // at sigma_min
}

// TestRK4AgainstAnotherIntegrator holds the many steps of rk4, which other tests and
// documents measure errors against, to scipy's DOP853 with tolerances of 1e-13.
func TestRK4AgainstAnotherIntegrator(t *testing.T) {
	data, err := os.ReadFile("testdata/dop853.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	den, err := gmm.New(r.Means, 2, r.S0)
	if err != nil {
		t.Fatal(err)
	}
	seeds := make([]uint64, len(r.Latents)/2)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	latents := make([]float64, len(r.Latents))
	if err := Latents(latents, seeds, 2); err != nil {
		t.Fatal(err)
	}
	if e := rms(latents, r.Latents); !(e < 1e-15) { // some processors fuse multiplications and additions
		t.Fatalf("the recording is of other latents: they differ by %g", e)
	}
	o := options("rk4", 4096)
	o.SigmaMin, o.SigmaMax = r.SigmaMin, r.SigmaMax
	e := rms(atSigmaMin(t, den, o), r.X)
	t.Logf("4096 steps of rk4 and DOP853 differ by %.1e", e)
	if !(e < 1e-12) {
		t.Errorf("4096 steps of rk4 and DOP853 differ by %.1e", e)
	}
}
