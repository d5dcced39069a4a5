package netpkl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
	"edm/model"
)

// pickleFile writes the tiny network to net.pkl of a new folder, with the user's
// cache folder in another.
func pickleFile(t *testing.T) (path, cache string) {
	t.Helper()
	cache = t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, cache)
	}
	path = filepath.Join(t.TempDir(), "net.pkl")
	write(t, path, tiny(t).file(4))
	return path, cache
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// convert is Snapshot, which must succeed, and what it warned of.
func convert(t *testing.T, path string) (snapshot, warned string) {
	t.Helper()
	var lines []string
	snapshot, err := Snapshot(path, func(s string) { lines = append(lines, s) })
	if err != nil {
		t.Fatal(err)
	}
	return snapshot, strings.Join(lines, "\n")
}

// The snapshot is written once, beside the pickle, and loads as any other.
func TestSnapshot(t *testing.T) {
	path, _ := pickleFile(t)
	snapshot, warned := convert(t, path)
	if want := strings.TrimSuffix(path, ".pkl") + ".safetensors"; snapshot != want {
		t.Errorf("snapshot %s, want %s", snapshot, want)
	}
	if !strings.Contains(warned, snapshot) || !strings.Contains(warned, "CC BY-NC-SA 4.0") {
		t.Errorf("warned of %q, want the place and the licence", warned)
	}
	f, err := checkpoints.Load(snapshot, checkpoints.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	m, weights, err := model.FromSnapshot(f, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	p := m.Layout().Params[1]
	if got := p.View(weights)[0]; got != 1 {
		t.Errorf("%s[0] = %v, want 1", p.Name, got)
	}
	before, err := os.Stat(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	again, warned := convert(t, path)
	after, err := os.Stat(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if again != snapshot || !os.SameFile(before, after) {
		t.Errorf("the second time: %s, want %s untouched", again, snapshot)
	}
	if !strings.Contains(warned, "CC BY-NC-SA 4.0") {
		t.Errorf("the second time it warned of %q, want the licence", warned)
	}
}

// What is not a snapshot of this pickle is left as it is.
func TestSnapshotReplacesNothing(t *testing.T) {
	path, cache := pickleFile(t)
	mine := strings.TrimSuffix(path, ".pkl") + ".safetensors"
	write(t, mine, []byte("precious"))
	second, _ := convert(t, path)
	if string(contents(t, mine)) != "precious" || second == mine || filepath.Dir(second) != filepath.Dir(path) {
		t.Fatalf("wrote %s beside a file of the user's at %s", second, mine)
	}
	write(t, second, []byte("precious too"))
	third, _ := convert(t, path)
	if string(contents(t, second)) != "precious too" || !strings.HasPrefix(third, cache) {
		t.Fatalf("wrote %s beside files of the user's, want one in %s", third, cache)
	}
	write(t, third, []byte("and this"))
	if got, err := Snapshot(path, nil); err == nil || !strings.Contains(err.Error(), third) {
		t.Errorf("with all names taken: %s, %v, want an error that names them", got, err)
	}
}

// A snapshot of other contents stays, and one that is damaged is made again.
func TestSnapshotOfAnotherPickle(t *testing.T) {
	path, _ := pickleFile(t)
	first, _ := convert(t, path)
	old := contents(t, first)

	damaged := bytes.Clone(old)
	damaged[len(damaged)-1] ^= 1
	write(t, first, damaged)
	if again, _ := convert(t, path); again != first || !bytes.Equal(contents(t, first), old) {
		t.Errorf("a damaged snapshot was not made again: %s", again)
	}

	p := tiny(t)
	p.set("sigma_data", 0.25)
	write(t, path, p.file(4))
	second, _ := convert(t, path)
	if second == first || !bytes.Equal(contents(t, first), old) {
		t.Errorf("%s replaced the snapshot of another pickle", second)
	}
}

// Where the pickle's folder cannot be written, the cache folder is used. A mode
// does not stop every user, so here the folder is not there.
func TestSnapshotFallsBackToCache(t *testing.T) {
	path, cache := pickleFile(t)
	f := snapshotOf(t, path)
	dir := filepath.Join(filepath.Dir(path), "gone")
	places := []string{filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors"), filepath.Join(cache, "new", "c.safetensors")}
	got, err := save(f, places, "")
	if err != nil || got != places[2] {
		t.Errorf("saved %s, %v, want %s", got, err, places[2])
	}
}

func snapshotOf(t *testing.T, path string) *safetensors.File {
	t.Helper()
	n, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := n.File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A hostile or truncated pickle touches nothing.
func TestSnapshotOfHostilePickle(t *testing.T) {
	path, cache := pickleFile(t)
	whole := contents(t, path)
	for _, data := range [][]byte{whole[:len(whole)/2], ema(call{global{"os", "system"}, tuple{"id"}}), nil} {
		write(t, path, data)
		if got, err := Snapshot(path, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes: %s, %v, want an error that names the file", len(data), got, err)
		}
	}
	for _, dir := range []string{filepath.Dir(path), cache} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "net.pkl" {
				t.Errorf("%s was left behind", e.Name())
			}
		}
	}
}

// A snapshot that another version of the conversion made is made again.
func TestSnapshotOfAnotherVersion(t *testing.T) {
	path, _ := pickleFile(t)
	first, _ := convert(t, path)
	want := contents(t, first)
	f, err := checkpoints.Load(first, checkpoints.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	f.Metadata[converterKey] = "0"
	if err := checkpoints.SaveAs(first, checkpoints.Snapshot, f); err != nil {
		t.Fatal(err)
	}
	if again, _ := convert(t, path); again != first || !bytes.Equal(contents(t, first), want) {
		t.Errorf("%s was not made again", again)
	}
}
