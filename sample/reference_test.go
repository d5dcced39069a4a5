package sample

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/gmm"
	"edm/internal/testkit/reference"
)

// TestReferenceSampler compares with the paper authors' sampler.
func TestReferenceSampler(t *testing.T) {
	reference.Each(t, "sampler/edm-*.safetensors", func(t *testing.T, f *safetensors.File) {
		o := DefaultSettings()
		decodeOptions(t, f, map[string]any{
			"num_steps": &o.NumSteps, "sigma_min": &o.SigmaMin, "sigma_max": &o.SigmaMax, "rho": &o.Rho,
			"S_churn": &o.SChurn, "S_min": &o.SMin, "S_max": &o.SMax, "S_noise": &o.SNoise,
		})
		c := newCase(t, f)
		c.compare(t, mustNew(t, c.den, o), reference.Values(t, f, "latents"))
	})
}

// TestReferenceAblation compares with the paper authors' general sampler: every
// discretisation, schedule, scaling and alpha that was recorded.
func TestReferenceAblation(t *testing.T) {
	reference.Each(t, "sampler/ablation-*.safetensors", func(t *testing.T, f *safetensors.File) {
		o := DefaultSettings()
		var steps struct {
			Disc string `json:"discretization"`
		}
		if err := json.Unmarshal([]byte(f.Metadata["options"]), &steps); err != nil {
			t.Fatal(err)
		}
		if steps.Disc != "" {
			if err := o.SetDisc(steps.Disc); err != nil {
				t.Fatal(err)
			}
		}
		decodeOptions(t, f, map[string]any{
			"solver": &o.Solver, "num_steps": &o.NumSteps, "discretization": &o.Disc, "schedule": &o.Schedule, "scaling": &o.Scaling,
			"alpha": &o.Alpha, "sigma_min": &o.SigmaMin, "sigma_max": &o.SigmaMax, "rho": &o.Rho,
			"S_churn": &o.SChurn, "S_min": &o.SMin, "S_max": &o.SMax, "S_noise": &o.SNoise,
		})
		c := newCase(t, f)
		if o.Disc == "iddpm" {
			// Its levels were recorded with cosines in float32, which moves the
			// low ones by up to 4.8e-4; package precond holds ours to the exact.
			c.tolerance = 1e-5
		}
		if o.Disc == "vp" && o.Schedule == "vp" {
			// The recording takes every step through time(sigma(t)); where that
			// is a rounding error above t, it adds noise of its square root.
			c.tolerance = 1e-8
		}
		c.compare(t, mustNew(t, c.den, o), reference.Values(t, f, "latents"))
	})
}

// TestReferenceKDiffusion compares with k-diffusion's samplers, over noise levels
// they are given; the other files of the folder, sigmas-*, are TestReferenceSigmas's.
func TestReferenceKDiffusion(t *testing.T) {
	reference.Each(t, "sampler-k/[^s]*.safetensors", func(t *testing.T, f *safetensors.File) {
		o, err := SettingsFor(kDiffusionSolver(f.Metadata["sampler"]))
		if err != nil {
			t.Fatal(err)
		}
		decodeOptions(t, f, map[string]any{
			"s_churn": &o.SChurn, "s_tmin": &o.SMin, "s_tmax": &o.SMax, "s_noise": &o.SNoise,
			"eta": &o.Eta, "r": &o.R, "order": &o.Order,
		})
		sigmas := reference.Values(t, f, "sigmas")
		o.NumSteps = len(sigmas) - 1
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		c := newCase(t, f)
		if o.Solver == "dpmpp-sde" {
			c.splitSteps(sigmas, o.R)
		}
		c.compare(t, overLevels(c.den, o, sigmas), reference.Values(t, f, "latents"))
	})
}

// kDiffusionSolver returns our name of one of k-diffusion's functions:
// sample_dpm_2_ancestral is dpm2-ancestral.
func kDiffusionSolver(function string) string {
	name := strings.TrimPrefix(function, "sample_")
	return strings.ReplaceAll(strings.Replace(name, "dpm_2", "dpm2", 1), "_", "-")
}

// splitSteps turns the recorded draws of dpmpp-sde into ours. Each step has two:
// the normal of its part down to the inner level in both, and then the normal of
// the whole step in the recording and of the rest of it here.
func (c *refCase) splitSteps(sigmas []float64, place float64) {
	size := len(c.want)
	for i := range len(c.draw) / (2 * size) {
		part, whole := c.draw[2*i*size:(2*i+1)*size], c.draw[(2*i+1)*size:(2*i+2)*size]
		middle := sigmas[i] * math.Pow(sigmas[i+1]/sigmas[i], place)
		early, late := brownian(sigmas[i], middle, sigmas[i+1])
		for j := range whole {
			whole[j] = (whole[j] - early*part[j]) / late
		}
	}
}

// overLevels returns a sampler whose noise levels are given.
func overLevels(den Denoiser, o Settings, sigmas []float64) *Sampler {
	p := plan{process: Process{}.filled(), sigmas: sigmas}
	p.setTimes()
	s, _ := solverByName(o.Solver)
	return newSampler(den, s.value(&o), p)
}

// refCase is what the sampler files have in common.
type refCase struct {
	den  *gmm.Mixture
	dim  int
	draw []float64 // [draws, N, dim]
	want []float64 // [N, dim]
	nfe  int
	// tolerance is 1e-9 unless the recording itself is not that good.
	tolerance float64
}

func newCase(t *testing.T, f *safetensors.File) refCase {
	t.Helper()
	mu := reference.Values(t, f, "mu")
	dim := len(mu) / f.Tensors["mu"].Shape[0]
	s0, err := strconv.ParseFloat(f.Metadata["s0"], 64)
	if err != nil {
		t.Fatalf("metadata s0: %v", err)
	}
	nfe, err := strconv.Atoi(f.Metadata["nfe"])
	if err != nil {
		t.Fatalf("metadata nfe: %v", err)
	}
	var draws []float64 // deterministic samplers have none
	if _, ok := f.Tensors["noise"]; ok {
		draws = reference.Values(t, f, "noise")
	}
	return refCase{
		den: mixture(t, dim, s0, mu...), dim: dim,
		draw: draws, want: reference.Values(t, f, "out.x"), nfe: nfe, tolerance: 1e-9,
	}
}

// compare samples from latents with the recorded draws.
func (c refCase) compare(t *testing.T, s *Sampler, latents []float64) {
	t.Helper()
	x := append([]float64(nil), latents...)
	noise := func(dst []float64, draw uint64) error {
		at := int(draw) * len(dst)
		if at+len(dst) > len(c.draw) {
			return fmt.Errorf("draw %d was not recorded", draw)
		}
		copy(dst, c.draw[at:])
		return nil
	}
	res, err := s.Sample(t.Context(), Batch{X: x, Dim: c.dim, Noise: noise})
	if err != nil {
		t.Fatal(err)
	}
	if res.NFE != c.nfe || s.NFE() != c.nfe {
		t.Errorf("NFE %d, announced %d, want %d", res.NFE, s.NFE(), c.nfe)
	}
	if len(c.want) != len(x) {
		t.Fatalf("%d results recorded for %d numbers", len(c.want), len(x))
	}
	worst := 0.0
	for j, want := range c.want {
		diff := math.Abs(x[j] - want)
		worst = max(worst, diff)
		if !(diff <= c.tolerance*(1+math.Abs(want))) {
			t.Fatalf("x[%d] = %.12g, want %.12g", j, x[j], want)
		}
	}
	t.Logf("largest difference %.1e", worst)
}

// decodeOptions sets the recorded options and fails on one that has no place.
func decodeOptions(t *testing.T, f *safetensors.File, places map[string]any) {
	t.Helper()
	// Python writes an infinite S_max as Infinity, which is not JSON.
	text := strings.ReplaceAll(f.Metadata["options"], "Infinity", "1e300")
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("metadata options %s: %v", text, err)
	}
	for name, value := range raw {
		place, ok := places[name]
		if !ok {
			t.Fatalf("option %s is not one this sampler has", name)
		}
		if err := json.Unmarshal(value, place); err != nil {
			t.Fatalf("option %s: %v", name, err)
		}
	}
}
