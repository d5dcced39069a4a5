package reference

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edm/internal/safetensors"
)

var update = flag.Bool("update", false, "write the packed copy anew from the reference folder")

// maxTreeBytes is what the copy in the tree may take.
const maxTreeBytes = 20_000_000

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
	return filepath.Join(Root(t), "internal", "reference", "testdata")
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
		if !listed(t, name) {
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

func repack(t *testing.T, whole string) {
	t.Helper()
	for _, pattern := range inTree {
		paths, err := filepath.Glob(filepath.Join(whole, filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("nothing to pack matches %s in %s (%v)", pattern, whole, err)
		}
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			packed, err := pack(data)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(treeDir(t), path.Dir(pattern), filepath.Base(p)+packedSuffix)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, packed, 0o644); err != nil {
				t.Fatal(err)
			}
		}
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
