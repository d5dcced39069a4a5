package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// helperEnv makes the test binary act as another process.
const helperEnv = "EDM_ATOMICFILE_HELPER"

func TestMain(m *testing.M) {
	if role := os.Getenv(helperEnv); role != "" {
		if err := helper(role, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func helper(role, path string) error {
	if role == "hang" {
		return Write(path, 0o644, func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 2*bufferSize)); err != nil {
				return err
			}
			fmt.Println("half")
			time.Sleep(time.Hour) // until it is killed
			return errors.New("never killed")
		})
	}
	return platformHelper(role, path)
}

func start(t *testing.T, role, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), helperEnv+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
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

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	big := strings.Repeat("x", 3*bufferSize+1)
	for _, want := range []string{"", "one", big, "two"} {
		err := Write(path, 0o640, func(w io.Writer) error {
			_, err := io.WriteString(w, want)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, path); got != want {
			t.Fatalf("read %d bytes, want %d", len(got), len(want))
		}
	}
	if got := names(t, dir); got != "a" {
		t.Errorf("the folder holds %q, want only a", got)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, want at most 0640", st.Mode())
	}
}

// A reader that opens the path at any moment sees one whole version.
func TestWriteIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 1000+i) }
	if err := WriteFile(path, version(0), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			b, err := os.ReadFile(path)
			if err != nil || len(b) < 1000 || !bytes.Equal(b, version(len(b)-1000)) {
				t.Errorf("read %d bytes that no one wrote, error %v", len(b), err)
				return
			}
		}
	})
	for i := range 30 {
		if err := WriteFile(path, version(i), 0o644); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// Whatever goes wrong, the old file and the folder are as before.
func TestWriteErrors(t *testing.T) {
	own := errors.New("own")
	for name, c := range map[string]struct {
		f    func(io.Writer) error
		want error
	}{
		"callback":  {func(io.Writer) error { return own }, own},
		"disk full": {func(io.Writer) error { return &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC} }, syscall.ENOSPC},
		"half written": {func(w io.Writer) error {
			_, err := w.Write(make([]byte, 3*bufferSize))
			return errors.Join(err, own)
		}, own},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if err := WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Write(path, 0o644, c.f)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s: got %v, want %v with the path", name, err, c.want)
		}
		if got := contents(t, path); got != "old" || names(t, dir) != "a" {
			t.Errorf("%s: file %q, folder %q", name, got, names(t, dir))
		}
	}
}

func TestWritePanicCleansUp(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		Write(filepath.Join(dir, "a"), 0o644, func(io.Writer) error { panic("x") })
	}()
	if got := names(t, dir); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

func TestWriteBadPlaces(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	sub := filepath.Join(dir, "sub", "full")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.MkdirAll(filepath.Join(sub, "x"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no folder":        filepath.Join(dir, "missing", "a"),
		"folder is a file": filepath.Join(file, "a"),
		"path is a folder": sub,
	} {
		err := WriteFile(path, []byte("x"), 0o644)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), ".edm-") {
			t.Errorf("%s: got %v, want an error that names %s only", name, err, path)
		}
	}
	if got := names(t, dir) + " " + names(t, filepath.Dir(sub)); got != "file sub full" {
		t.Errorf("left behind: %s", got)
	}
}

// CleanStale must tell a writer that was killed from one that is at work.
func TestCleanStale(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".edm-1.tmp", "edm-0123456789abcdef.tmp", "state.safetensors"}
	for _, name := range keep {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd, out := start(t, "hang", filepath.Join(dir, "a"))
	if _, err := io.ReadFull(out, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	if err := CleanStale(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != before || !strings.Contains(got, ".tmp") {
		t.Errorf("a live writer's file went: %q, before %q", got, before)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := names(t, dir); got != before {
		t.Errorf("kill left %q, want the temporary still there", got)
	}
	if err := CleanStale(dir); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), strings.Join(keep, " "); got != want {
		t.Errorf("after cleaning: %q, want %q", got, want)
	}
	if err := CleanStale(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// The writer's own temporary survives a cleaning that runs beside it.
func TestCleanStaleSameProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	err := Write(path, 0o644, func(w io.Writer) error {
		if err := CleanStale(dir); err != nil {
			return err
		}
		_, err := io.WriteString(w, "x")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, path); got != "x" {
		t.Errorf("read %q", got)
	}
}

func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b := open(), open()
	if ok, err := TryLock(a); !ok || err != nil {
		t.Fatalf("first: %v, %v", ok, err)
	}
	if ok, err := TryLock(b); ok || err != nil {
		t.Fatalf("second: %v, %v; want false without error", ok, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		ok, err := TryLock(b)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("after release: %v, %v", ok, err)
		}
		if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
