package unet_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/checkpoints/safetensors"
	"edm/internal/cpu"
	"edm/internal/engine"
	"edm/internal/testkit/reference"
	"edm/unet"
)

// TestReference compares F and every gradient with the reference
// implementation: 1e-4 and 1e-3 relative to each tensor's RMS.
func TestReference(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.Name(), func(t *testing.T) {
			reference.Each(t, "unet/*.safetensors", func(t *testing.T, f *safetensors.File) {
				compare(t, b, f)
			})
		})
	}
}

func backends(t *testing.T) []engine.Backend {
	fast := cpu.New(2)
	t.Cleanup(func() { fast.Close() })
	return []engine.Backend{engine.Portable{}, fast}
}

func compare(t *testing.T, b engine.Backend, f *safetensors.File) {
	t.Helper()
	c := recorded(t, f)
	g := gorgonia.NewGraph()
	feed := map[*gorgonia.Node]string{}
	input := func(name string) *gorgonia.Node {
		ts, ok := f.Tensors[name]
		if !ok {
			return nil
		}
		n := gorgonia.NewTensor(g, tensor.Float32, len(ts.Shape), gorgonia.WithShape(ts.Shape...), gorgonia.WithName(name))
		feed[n] = name
		return n
	}
	in := unet.Inputs{
		X: input("in.x"), NoiseLabels: input("in.noise_labels"),
		ClassLabels: input("in.class_labels"), AugmentLabels: input("in.augment_labels"),
	}
	out, params, err := c.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	sameParams(t, params, f)
	// Two parameters may share a gradient node: each name is compared.
	names, wrt := []string{"out.F", "grad.x"}, gorgonia.Nodes{in.X}
	for _, p := range params {
		if p.Frozen {
			feed[p.Node] = "buffer." + p.Name
			continue
		}
		feed[p.Node] = "param." + p.Name
		wrt, names = append(wrt, p.Node), append(names, "grad."+p.Name)
	}
	cot := input("cotangent.F")
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{out}, gorgonia.Nodes{cot}, wrt)
	if err != nil {
		t.Fatal(err)
	}
	outputs := append(gorgonia.Nodes{out}, grads...)
	m := machine(t, b, outputs)
	for n, name := range feed {
		if err := m.Bind(n, engine.Buffer{F32: reference.Values32(t, f, name)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	worst := map[string]float64{}
	for i, name := range names {
		v, err := m.Value(outputs[i])
		if err != nil {
			t.Fatal(err)
		}
		tol := 1e-3
		if name == "out.F" {
			tol = 1e-4
		}
		e := relative(v.Data().([]float32), reference.Values32(t, f, name), grain(f))
		if !(e <= tol) {
			t.Errorf("%s: error %.2e of its RMS, want at most %g", name, e, tol)
		}
		kind, _, _ := strings.Cut(name, ".")
		worst[kind] = max(worst[kind], e)
	}
	t.Logf("greatest error relative to RMS: F %.1e, gradients %.1e", worst["out"], worst["grad"])
}

// recorded returns the configuration of a reference file, whose architecture is
// named as its class.
func recorded(t *testing.T, f *safetensors.File) unet.Config {
	t.Helper()
	var c unet.Config
	if err := json.Unmarshal([]byte(f.Metadata["config"]), &c); err != nil {
		t.Fatal(err)
	}
	switch a := f.Metadata["architecture"]; a {
	case "SongUNet":
	case "DhariwalUNet":
		c.Arch = unet.ADM
	default:
		t.Fatalf("architecture %q", a)
	}
	return c
}

// sameParams fails unless the network's parameters have the names and shapes of
// the reference's parameters and random buffers.
func sameParams(t *testing.T, params []unet.Param, f *safetensors.File) {
	t.Helper()
	got, want := map[string][]int{}, map[string][]int{}
	for _, p := range params {
		kind := "param."
		if p.Frozen {
			kind = "buffer."
		}
		got[kind+p.Name] = p.Shape
	}
	for name, ts := range f.Tensors {
		fixed := strings.HasSuffix(name, ".resample_filter") // given by the configuration
		if !fixed && (strings.HasPrefix(name, "param.") || strings.HasPrefix(name, "buffer.")) {
			want[name] = ts.Shape
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters differ from the reference's (-) :\n%s", diff)
	}
}

func machine(t *testing.T, b engine.Backend, outputs gorgonia.Nodes) *engine.Machine {
	t.Helper()
	p, err := engine.Compile(b, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// grain is the size of rounding noise in a gradient: a millionth of the RMS of
// all gradients. Some gradients are exactly zero in real arithmetic (the key
// part of an attention bias), so their own RMS measures nothing.
func grain(f *safetensors.File) float64 {
	var sum float64
	n := 0
	for name, ts := range f.Tensors {
		if !strings.HasPrefix(name, "grad.") {
			continue
		}
		v, err := ts.Float64s()
		if err != nil {
			return math.NaN()
		}
		for _, x := range v {
			sum += x * x
			n++
		}
	}
	return 1e-6 * math.Sqrt(sum/float64(n))
}

// relative is the largest error over the RMS of want, beyond an absolute
// allowance of noise.
func relative(got, want []float32, noise float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var sum, worst float64
	for i, w := range want {
		sum += float64(w) * float64(w)
		worst = max(worst, math.Abs(float64(got[i])-float64(w))-noise)
		if got[i] != got[i] {
			return math.NaN()
		}
	}
	return worst / math.Sqrt(sum/float64(len(want)))
}
