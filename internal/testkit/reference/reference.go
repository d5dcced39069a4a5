// Package reference finds the reference vectors that the TestReference tests
// compare with: numbers recorded from the reference implementations, one
// safetensors file a case.
package reference

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
)

// Env names the variable that points at a folder of reference vectors. When it
// is set, a missing file is a failure and nothing else is looked at.
const Env = "EDM_REFERENCE"

// Dir returns the folder of vectors: $EDM_REFERENCE, else ../shared/reference
// beside the checkout, else the small copy in the tree.
func Dir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv(Env); dir != "" {
		return dir
	}
	root := Root(t)
	beside := filepath.Join(filepath.Dir(root), "shared", "reference")
	if st, err := os.Stat(beside); err == nil && st.IsDir() {
		return beside
	}
	return filepath.Join(root, "internal", "testkit", "reference", "testdata")
}

// Root returns the top folder of the checkout.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("reference: the caller's file is unknown")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(file))))
}

// Each runs f as a subtest for every file of the reference folder that matches
// pattern ("unet/ddpmpp-*.safetensors"); the copy in the tree holds packed
// files, under the same names. No match is a failure: a test that compares with
// nothing would always pass.
func Each(t *testing.T, pattern string, f func(t *testing.T, file *safetensors.File)) {
	t.Helper()
	dir := Dir(t)
	paths, err := match(dir, pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no reference vectors match %s in %s", pattern, dir)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), packedSuffix), func(t *testing.T) {
			file, err := read(path)
			if err != nil {
				t.Fatal(err)
			}
			f(t, file)
		})
	}
}

// match returns the plain files of dir that match pattern, else the packed ones.
func match(dir, pattern string) ([]string, error) {
	glob := filepath.Join(dir, filepath.FromSlash(pattern))
	paths, err := filepath.Glob(glob)
	if err != nil || len(paths) > 0 {
		return paths, err
	}
	return filepath.Glob(glob + packedSuffix)
}

// Values returns a tensor of a file in float64; a missing one is a failure.
func Values(t testing.TB, f *safetensors.File, name string) []float64 {
	t.Helper()
	tensor, ok := f.Tensors[name]
	if !ok {
		t.Fatalf("the reference has no tensor %s", name)
	}
	v, err := tensor.Float64s()
	if err != nil {
		t.Fatalf("reference tensor %s: %v", name, err)
	}
	return v
}

// Values32 is Values in float32.
func Values32(t testing.TB, f *safetensors.File, name string) []float32 {
	t.Helper()
	wide := Values(t, f, name)
	v := make([]float32, len(wide))
	for i, x := range wide {
		v[i] = float32(x)
	}
	return v
}

// Number returns a number of a file's metadata.
func Number(t testing.TB, f *safetensors.File, key string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(f.Metadata[key], 64)
	if err != nil {
		t.Fatalf("reference metadata %s: %v", key, err)
	}
	return v
}
