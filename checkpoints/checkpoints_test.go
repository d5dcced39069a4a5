package checkpoints

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []Kind{Snapshot, State} {
		f := small()
		path := save(t, dir, kind, 30000, f)
		if want := filepath.Join(dir, string(kind)[len("edm-"):]+"-000030000.safetensors"); path != want {
			t.Errorf("path %s, want %s", path, want)
		}
		if d := cmp.Diff(small(), f); d != "" {
			t.Errorf("Save changed its argument: %s", d)
		}
		got, err := Load(path, kind)
		if err != nil {
			t.Fatal(err)
		}
		want := small()
		want.Metadata["format"] = string(kind)
		want.Metadata["format_version"] = "1"
		want.Metadata["content_sha256"] = got.Metadata["content_sha256"]
		normal := cmp.Transformer("empty", func(s []byte) string { return string(s) })
		shape := cmp.Transformer("shape", func(s []int) []int { return append([]int{}, s...) })
		if d := cmp.Diff(want.Metadata, got.Metadata); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(want.Tensors, got.Tensors, normal, cmp.FilterValues(oneNil, shape)); d != "" {
			t.Error(d)
		}
		if err := Verify(path, kind); err != nil {
			t.Error(err)
		}
	}
}

// oneNil says whether a scalar's shape is written in two ways.
func oneNil(a, b []int) bool { return (a == nil) != (b == nil) }

// The hash is part of the format: a change of its definition makes every file
// in the world unreadable, so it is pinned. testdata/read_with_python.py computes
// it from the definition, and TestOthersCanRead compares.
func TestContentHashPinned(t *testing.T) {
	const want = "1ac2294895d158bde07cca6181926ac507b6206be0ea929ecfb7fa6266ef8990"
	f, err := Load(save(t, t.TempDir(), State, 1, small()), State)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Metadata["content_sha256"]; got != want {
		t.Errorf("content hash %s, want %s", got, want)
	}
}

// The hash sees every difference, also those that only move a boundary.
func TestContentHashDistinguishes(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, f *safetensors.File) {
		sum, err := hashFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[sum] = name
	}
	file := func(meta map[string]string, tensors map[string]safetensors.Tensor) *safetensors.File {
		return &safetensors.File{Metadata: meta, Tensors: tensors}
	}
	u8 := func(n ...int) safetensors.Tensor {
		return safetensors.Tensor{DType: "U8", Shape: n, Data: []byte{1, 2, 3, 4}}
	}
	i8 := u8(4)
	i8.DType = "I8"
	add("empty", file(nil, nil))
	add("ab:c", file(map[string]string{"ab": "c"}, nil))
	add("a:bc", file(map[string]string{"a": "bc"}, nil))
	add("a:,bc:", file(map[string]string{"a": "", "bc": ""}, nil))
	add("4", file(nil, map[string]safetensors.Tensor{"a": u8(4)}))
	add("named b", file(nil, map[string]safetensors.Tensor{"b": u8(4)}))
	add("2x2", file(nil, map[string]safetensors.Tensor{"a": u8(2, 2)}))
	add("1x4", file(nil, map[string]safetensors.Tensor{"a": u8(1, 4)}))
	add("I8", file(nil, map[string]safetensors.Tensor{"a": i8}))
	add("two", file(nil, map[string]safetensors.Tensor{"a": u8(4), "b": u8(4)}))
}

// sealedBytes returns what Save would write, without the disk.
func sealedBytes(t *rapid.T, f *safetensors.File) []byte {
	sealed, err := seal(State, f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, sealed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDeterministicBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		meta := rapid.MapOf(rapid.String(), rapid.String()).Draw(rt, "metadata")
		values := rapid.MapOf(rapid.StringMatching(`[a-zé.0-9]*`), rapid.SliceOf(rapid.Float32())).Draw(rt, "tensors")
		build := func() *safetensors.File {
			f := &safetensors.File{Metadata: maps.Clone(meta), Tensors: map[string]safetensors.Tensor{}}
			for name, x := range values {
				f.Tensors[name] = safetensors.ViewFloat32s(x, len(x))
			}
			return f
		}
		first := sealedBytes(rt, build())
		f, err := safetensors.Parse(first)
		if err != nil {
			rt.Fatal(err)
		}
		for name, x := range values {
			if !bytes.Equal(f.Tensors[name].Data, safetensors.FromFloat32s(x, len(x)).Data) {
				rt.Fatalf("tensor %q came back different", name)
			}
		}
		sum, err := hashFile(f)
		if err != nil {
			rt.Fatal(err)
		}
		if err := judge(f.Metadata, State, sum); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(first, sealedBytes(rt, build())) || !bytes.Equal(first, sealedBytes(rt, f)) {
			rt.Fatal("equal contents gave different bytes")
		}
	})
}

// What was loaded and is saved again is the same file.
func TestSaveAgain(t *testing.T) {
	dir := t.TempDir()
	first := save(t, dir, Snapshot, 1, small())
	f, err := Load(first, Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if again := save(t, dir, Snapshot, 2, f); !bytes.Equal(read(t, first), read(t, again)) {
		t.Error("other bytes")
	}
}

// Whatever happens to one bit or to the end of a file, Load and Verify notice,
// name the file and call it damaged.
func TestEveryDamageIsSeen(t *testing.T) {
	path := save(t, t.TempDir(), Snapshot, 0, small())
	data := read(t, path)
	check := func(what string, at int) {
		t.Helper()
		_, err := Load(path, Snapshot)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("%s %d: Load: %v, want damaged with the path", what, at, err)
		}
		if err := Verify(path, Snapshot); !errors.Is(err, ErrDamaged) || isNewer(err) {
			t.Fatalf("%s %d: Verify: %v, want damaged", what, at, err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put := func(b []byte, at int) {
		if _, err := f.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range data {
		for bit := range 8 {
			put([]byte{data[i] ^ 1<<bit}, i)
			check("bit flip in byte", i)
		}
		put(data[i:i+1], i)
	}
	if _, err := Load(path, Snapshot); err != nil {
		t.Errorf("the file itself: %v", err)
	}
	put([]byte{0}, len(data))
	check("a byte after", len(data))
	for n := len(data) - 1; n >= 0; n-- {
		if err := f.Truncate(int64(n)); err != nil {
			t.Fatal(err)
		}
		check("cut to", n)
	}
}

// sealAs writes a sound file with a format and version of its own choice.
func sealAs(t *testing.T, path, format, version string) {
	t.Helper()
	f := small()
	f.Metadata["format"], f.Metadata["format_version"] = format, version
	sum, err := hashFile(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Metadata["content_sha256"] = sum
	var b bytes.Buffer
	if err := safetensors.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

func TestVersionsAndKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	for _, c := range []struct {
		format, version string
		want            error
		text            string
	}{
		{"edm-snapshot", "1", nil, ""},
		{"edm-snapshot", "2", ErrNewer, "written by a newer edm: format 2, this program reads 1; update"},
		{"edm-snapshot", "17", ErrNewer, "format 17"},
		{"edm-snapshot", "0", ErrKind, `format version "0"`},
		{"edm-snapshot", "one", ErrKind, `format version "one"`},
		{"edm-snapshot", "", ErrKind, `format version ""`},
		{"edm-state", "1", ErrKind, `it is "edm-state", want "edm-snapshot"`},
		{"edm-audio", "1", ErrKind, `it is "edm-audio", want "edm-snapshot"`},
	} {
		sealAs(t, path, c.format, c.version)
		_, err := Load(path, Snapshot)
		if !errors.Is(err, c.want) {
			t.Errorf("%s %s: got %v, want %v", c.format, c.version, err, c.want)
			continue
		}
		if err != nil && (!strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s %s: %q, want the path and %q", c.format, c.version, err, c.text)
		}
		if v := Verify(path, Snapshot); !errors.Is(v, c.want) {
			t.Errorf("%s %s: Verify gives %v", c.format, c.version, v)
		}
	}
	// A version raised by hand: both readings are offered.
	sealAs(t, path, "edm-snapshot", "1")
	write(t, path, bytes.Replace(read(t, path), []byte(`"format_version":"1"`), []byte(`"format_version":"2"`), 1))
	if _, err := Load(path, Snapshot); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "newer edm: format 2") {
		t.Errorf("edited version: %v", err)
	}
}

func TestLoadOtherThings(t *testing.T) {
	dir := t.TempDir()
	var other bytes.Buffer
	if err := safetensors.Write(&other, &safetensors.File{Metadata: map[string]string{"format": "pt"}}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "other"), other.Bytes())
	write(t, filepath.Join(dir, "empty"), nil)
	write(t, filepath.Join(dir, "text"), []byte("not a model at all, just text"))
	for name, want := range map[string]error{
		"other": ErrKind, "empty": ErrDamaged, "text": ErrDamaged, "missing": fs.ErrNotExist, ".": ErrDamaged,
	} {
		path := filepath.Join(dir, name)
		_, err := Load(path, Snapshot)
		if !errors.Is(err, want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: got %v, want %v and the path once", name, err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "other"), "edm-other"); err == nil {
		t.Error("an unknown kind was loaded")
	}
}

func TestSaveRefuses(t *testing.T) {
	dir := t.TempDir()
	path := save(t, dir, State, 5, small())
	before := read(t, path)
	bad := small()
	bad.Tensors["zzz"] = safetensors.Tensor{DType: safetensors.F32, Shape: []int{2}, Data: make([]byte, 4)}
	for name, f := range map[string]func() error{
		"bad tensor":   func() error { _, err := Save(dir, State, 5, bad); return err },
		"negative":     func() error { _, err := Save(dir, State, -1, small()); return err },
		"unknown kind": func() error { _, err := Save(dir, "", 5, small()); return err },
		"no folder":    func() error { _, err := Save(filepath.Join(dir, "no"), State, 5, small()); return err },
	} {
		if f() == nil {
			t.Errorf("%s: saved", name)
		}
	}
	if got := names(t, dir); got != filepath.Base(path) || !bytes.Equal(read(t, path), before) {
		t.Errorf("the folder or the old file changed: %s", got)
	}
}

// A state may take half of the memory: saving and verifying must not copy it,
// loading may once.
func TestMemory(t *testing.T) {
	const size = 32 << 20
	dir := t.TempDir()
	f := &safetensors.File{Tensors: map[string]safetensors.Tensor{
		"a": safetensors.ViewFloat32s(make([]float32, size/8), size/8),
		"b": safetensors.ViewFloat32s(make([]float32, size/8), size/8),
	}}
	path := filepath.Join(dir, State.FileName(0))
	for _, c := range []struct {
		name  string
		limit uint64
		do    func() error
	}{
		{"Save", size / 4, func() error { _, err := Save(dir, State, 0, f); return err }},
		{"Verify", size / 4, func() error { return Verify(path, State) }},
		{"Load", size + size/4, func() error { _, err := Load(path, State); return err }},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > c.limit {
			t.Errorf("%s of %d bytes allocated %d, want at most %d", c.name, size, got, c.limit)
		}
	}
	if err := os.Truncate(path, size/2); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, State); !errors.Is(err, ErrDamaged) {
		t.Errorf("half a file: %v", err)
	}
}
