package checkpoints

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edm/checkpoints/safetensors"
)

// helperEnv makes the test binary act as another process.
const helperEnv = "EDM_CHECKPOINTS_HELPER"

func TestMain(m *testing.M) {
	role := os.Getenv(helperEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := helper(role, os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func helper(role, dir string) error {
	switch role {
	case "lock":
		if _, err := Lock(dir); err != nil {
			return err
		}
		fmt.Println("locked")
		time.Sleep(time.Hour) // until it is killed
		return errors.New("never killed")
	case "try-lock":
		release, err := Lock(dir)
		if errors.Is(err, ErrLocked) {
			fmt.Println(err)
			return nil
		}
		return errors.Join(err, release())
	case "save":
		return helperSave(dir)
	case "new-run":
		for range 10 {
			if _, err := NewRun(dir, fmt.Sprint("p", os.Getpid())); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("unknown role %q", role)
}

// helperSave trains, as far as files go, until it is killed.
func helperSave(dir string) error {
	entries, err := List(dir, State)
	if err != nil || len(entries) == 0 {
		return fmt.Errorf("no state to go on from: %w", err)
	}
	log, err := OpenLog(dir)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for n := entries[len(entries)-1].NImg + 1; ; n++ {
		if err := log.Append(map[string]any{"nimg": n, "note": strings.Repeat("x", 1000)}); err != nil {
			return err
		}
		if _, err := Save(dir, State, n, stateOf(n)); err != nil {
			return err
		}
		if err := Prune(dir, 2); err != nil {
			return err
		}
	}
}

// stateOf returns 2 MB that depend on n throughout.
func stateOf(n int64) *safetensors.File {
	x := make([]float32, 1<<19)
	for i := range x {
		x[i] = float32(n) + float32(i%1000)/1024
	}
	return &safetensors.File{
		Metadata: map[string]string{"nimg": fmt.Sprint(n)},
		Tensors:  map[string]safetensors.Tensor{"w": safetensors.ViewFloat32s(x, 512, 1024)},
	}
}

func command(role, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), helperEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// start runs a helper and returns when it has printed its first line.
func start(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := command(role, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatalf("helper %s said nothing: %v", role, err)
	}
	return cmd
}

// small returns a file of a few hundred bytes with one tensor of each type.
func small() *safetensors.File {
	return &safetensors.File{
		Metadata: map[string]string{"arch": "ddpmpp", "config": "lr: 1e-3\nname: \"<é>\"\n"},
		Tensors: map[string]safetensors.Tensor{
			"model.enc.w": safetensors.FromFloat32s([]float32{1, -2, 3, 4, 5, 6}, 2, 3),
			"model.b":     safetensors.FromFloat64s([]float64{0.1, 1e300}, 2),
			"nimg":        safetensors.FromInt64s([]int64{30000}),
			"none":        safetensors.FromFloat32s(nil, 0, 4),
			"u8":          {DType: safetensors.U8, Shape: []int{3}, Data: []byte{1, 2, 3}},
		},
	}
}

func save(t *testing.T, dir string, kind Kind, nimg int64, f *safetensors.File) string {
	t.Helper()
	path, err := Save(dir, kind, nimg, f)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// flip changes one bit in the middle of the file.
func flip(t *testing.T, path string) {
	t.Helper()
	b := read(t, path)
	b[len(b)-4] ^= 0x10
	write(t, path, b)
}

func mkdir(t *testing.T, elem ...string) string {
	t.Helper()
	dir := filepath.Join(elem...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}
