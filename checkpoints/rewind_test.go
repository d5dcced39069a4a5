package checkpoints

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"edm/checkpoints/safetensors"
)

func TestRewindSetsLaterFilesAside(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int64{100, 200, 300} {
		for _, kind := range []Kind{Snapshot, State} {
			f := &safetensors.File{Tensors: map[string]safetensors.Tensor{"a": safetensors.FromFloat32s([]float32{float32(n)}, 1)}}
			if _, err := Save(dir, kind, n, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"samples-000000300.png", "samples-000000100.png", "notes-000000300.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if moved, err := Rewind(dir, 100); err != nil || moved != 5 {
		t.Fatalf("moved %d files, %v; want 5", moved, err)
	}
	path, _, err := Latest(dir, State, nil)
	if err != nil || filepath.Base(path) != State.FileName(100) {
		t.Errorf("latest state %s, %v", path, err)
	}
	for _, name := range []string{State.FileName(300), Snapshot.FileName(200), "samples-000000300.png"} {
		if _, err := os.Stat(filepath.Join(dir, SupersededDir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"samples-000000100.png", "notes-000000300.txt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if moved, err := Rewind(dir, 100); err != nil || moved != 0 {
		t.Errorf("a second rewind moved %d files, %v", moved, err)
	}
	if _, err := Rewind(filepath.Join(dir, "none"), 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}
