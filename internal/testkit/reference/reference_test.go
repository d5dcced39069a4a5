package reference

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"edm/checkpoints/safetensors"
)

var update = flag.Bool("update", false, "write the packed copy anew from the reference folder")

// maxTreeBytes is what the copy in the tree may take.
const maxTreeBytes = 16_500_000

// inTree lists the files of the copy: all but the unconditional DDPM++ UNet,
// which is the network of precond/edm (its output), loss/edm (its gradients)
// and train/edm-4-steps, and the pickles, which internal/netpkl has.
var inTree = []string{
	"unet/*-cond-augment.safetensors",
	"unet/ncsnpp-skip-uncond.safetensors",
	"precond/*.safetensors",
	"loss/*.safetensors",
	"train/edm-4-steps.safetensors",
	"sampler/*.safetensors",
	"sampler-k/*.safetensors",
	"augment/*.safetensors",
	"fid/*.safetensors",
}

func treeDir(t *testing.T) string {
	return filepath.Join(Root(t), "internal", "testkit", "reference", "testdata")
}

func TestPackLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		packed, err := pack(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpack(packed)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%x came back as %x, %v", data, got, err)
		}
	})
}

func TestUnpackRefusesDamage(t *testing.T) {
	packed, err := pack([]byte("eight by four is thirty-two bytes"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range packed {
		if _, err := unpack(packed[:i]); err == nil {
			t.Errorf("%d of %d bytes unpack", i, len(packed))
		}
	}
}

// TestTreeCopy holds the copy in the tree to its list and its size, and each of
// its files to the format.
func TestTreeCopy(t *testing.T) {
	if *update {
		repack(t, Dir(t))
	}
	total := int64(0)
	held := map[string]bool{}
	err := filepath.WalkDir(treeDir(t), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		rel, err := filepath.Rel(treeDir(t), p)
		if err != nil {
			return err
		}
		if name, packed := strings.CutSuffix(filepath.ToSlash(rel), packedSuffix); packed {
			held[name] = true
			if _, err := read(p); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > maxTreeBytes {
		t.Errorf("the copy takes %d bytes, want at most %d", total, maxTreeBytes)
	}
	if len(held) < len(inTree) {
		t.Errorf("the copy holds %d files, want one at least for each of %d patterns", len(held), len(inTree))
	}
	for name := range held {
		if path.Base(name)+packedSuffix != sharedFile && !listed(t, name) {
			t.Errorf("%s matches no pattern of the list", name)
		}
	}
}

func listed(t *testing.T, name string) bool {
	for _, pattern := range inTree {
		ok, err := path.Match(pattern, name)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return true
		}
	}
	return false
}

// repack writes the copy anew, folder by folder.
func repack(t *testing.T, whole string) {
	t.Helper()
	folders := map[string]map[string]*safetensors.File{}
	for _, pattern := range inTree {
		paths, err := filepath.Glob(filepath.Join(whole, filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("nothing to pack matches %s in %s (%v)", pattern, whole, err)
		}
		for _, p := range paths {
			f, err := safetensors.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(treeDir(t), path.Dir(pattern))
			if folders[folder] == nil {
				folders[folder] = map[string]*safetensors.File{}
			}
			folders[folder][filepath.Base(p)+packedSuffix] = f
		}
	}
	for folder, files := range folders {
		shared, err := share(slices.Collect(maps.Values(files)))
		if err != nil {
			t.Fatal(err)
		}
		if shared != nil {
			files[sharedFile] = shared
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, f := range files {
			packed, err := packFile(f)
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, name), packed, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestShareLosesNothing: what is shared and restored is what was there.
func TestShareLosesNothing(t *testing.T) {
	long := func(first float32) safetensors.Tensor {
		return safetensors.FromFloat32s(append([]float32{first}, make([]float32, leastShared)...), leastShared+1)
	}
	flat := safetensors.FromFloat32s(make([]float32, leastShared), leastShared)
	whole := []*safetensors.File{
		{Metadata: map[string]string{"a": "b"}, Tensors: map[string]safetensors.Tensor{"x": long(1), "y": long(2), "short": safetensors.FromFloat32s([]float32{1}, 1)}},
		{Metadata: map[string]string{}, Tensors: map[string]safetensors.Tensor{"z": long(2), "x": long(3), "short": safetensors.FromFloat32s([]float32{1}, 1)}},
		{Metadata: map[string]string{}, Tensors: map[string]safetensors.Tensor{"flat": flat, "square": {DType: flat.DType, Shape: []int{32, leastShared / 32}, Data: flat.Data}}},
	}
	var files []*safetensors.File
	for _, f := range whole {
		files = append(files, &safetensors.File{Metadata: f.Metadata, Tensors: maps.Clone(f.Tensors)})
	}
	shared, err := share(files)
	if err != nil || len(shared.Tensors) != 1 {
		t.Fatalf("%d tensors are shared, %v, want 1", len(shared.Tensors), err)
	}
	dir := t.TempDir()
	packed, err := packFile(shared)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, sharedFile), packed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		packed, err := packFile(f)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "f"+packedSuffix)
		if err := os.WriteFile(path, packed, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(whole[i], got); d != "" {
			t.Errorf("file %d: %s", i, d)
		}
	}
	if err := os.Remove(filepath.Join(dir, sharedFile)); err != nil {
		t.Fatal(err)
	}
	f := &safetensors.File{Metadata: files[0].Metadata, Tensors: files[0].Tensors}
	if err := restore(f, filepath.Join(dir, sharedFile)); err == nil {
		t.Error("restored without the shared file")
	}
}

// Every pattern that a test of the project compares with finds a file in the
// copy, so that a checkout alone can run them all.
func TestTreeCopyServesEveryTest(t *testing.T) {
	use := regexp.MustCompile(`reference\.Each\(\w+, "([^"]+)"( ?\+ ?)?`)
	seen := 0
	err := filepath.WalkDir(Root(t), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		source, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range use.FindAllStringSubmatch(string(source), -1) {
			seen++
			pattern := m[1]
			if m[2] != "" { // the rest is computed; any file will do
				pattern += "*.safetensors"
			}
			if paths, err := match(treeDir(t), pattern); err != nil || len(paths) == 0 {
				t.Errorf("%s: nothing in the tree's copy matches %s (%v)", p, pattern, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("no use of reference.Each was found: the expression is out of date")
	}
}

// Each gives packed files under their plain names.
func TestEachReadsPackedFiles(t *testing.T) {
	t.Setenv(Env, treeDir(t))
	names := 0
	Each(t, "sampler/edm-*.safetensors", func(t *testing.T, f *safetensors.File) {
		names++
		if !strings.HasSuffix(t.Name(), ".safetensors") {
			t.Errorf("subtest %s, want the plain name", t.Name())
		}
		if _, ok := f.Tensors["out.x"]; !ok {
			t.Error("no tensor out.x")
		}
	})
	if names == 0 {
		t.Error("no file was read")
	}
}
