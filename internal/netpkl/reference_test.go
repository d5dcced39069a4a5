package netpkl

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/reference"
	"edm/model"
)

// pickles returns the reference pickles by name. The set in the tree is this
// package's own, for a checkout with nothing beside it.
func pickles(t testing.TB) map[string][]byte {
	t.Helper()
	dir := pickleDir(t)
	paths, err := filepath.Glob(filepath.Join(dir, "*.pkl*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no reference pickles in %s (%v)", dir, err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		name, packed := strings.CutSuffix(filepath.Base(p), ".gz")
		if packed {
			data = gunzip(t, data)
		}
		out[strings.TrimSuffix(name, ".pkl")] = data
	}
	return out
}

func pickleDir(t testing.TB) string {
	t.Helper()
	dir := reference.Dir(t)
	if dir == filepath.Join(reference.Root(t), "internal", "testkit", "reference", "testdata") {
		return "testdata"
	}
	return filepath.Join(dir, "pickle")
}

func gunzip(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReferencePickle compares D of the network inside every reference pickle
// with the recorded one.
func TestReferencePickle(t *testing.T) {
	device, err := model.OpenCPU(1)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	for name, data := range pickles(t) {
		t.Run(name, func(t *testing.T) {
			n, err := read(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			want, err := safetensors.ReadFile(filepath.Join(pickleDir(t), name+".expected.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := n.File()
			if err != nil {
				t.Fatal(err)
			}
			compareD(t, device, f, want)
		})
	}
}

// compareD evaluates a snapshot at the recorded inputs.
func compareD(t *testing.T, device *model.Device, f, want *safetensors.File) {
	t.Helper()
	m, weights, err := model.FromSnapshot(f, device)
	if err != nil {
		t.Fatal(err)
	}
	x, sigmas := reference.Values(t, want, "in.x"), reference.Values(t, want, "in.sigma")
	var labels []float32
	if _, ok := want.Tensors["in.class_labels"]; ok {
		labels = reference.Values32(t, want, "in.class_labels")
	}
	d, err := m.Denoiser(weights, len(sigmas))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, len(x))
	if err := d.DenoiseRows(context.Background(), got, x, sigmas, labels); err != nil {
		t.Fatal(err)
	}
	worst, rms := 0.0, 0.0
	out := reference.Values(t, want, "out.D")
	for i, w := range out {
		worst, rms = max(worst, math.Abs(got[i]-w)), rms+w*w
	}
	rms = math.Sqrt(rms / float64(len(out)))
	t.Logf("largest difference %.2g of the RMS", worst/rms)
	if !(worst <= 1e-4*rms) {
		t.Errorf("D differs by %g, want at most 1e-4 of its RMS %g", worst, rms)
	}
}
