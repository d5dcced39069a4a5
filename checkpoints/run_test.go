package checkpoints

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func newRun(t *testing.T, outdir, desc string) string {
	t.Helper()
	dir, err := NewRun(outdir, desc)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(dir)
}

func TestNewRun(t *testing.T) {
	outdir := filepath.Join(t.TempDir(), "a", "runs")
	for i, c := range []struct{ desc, want string }{
		{"demo-uncond", "00000-demo-uncond"}, {"x", "00001-x"}, {"x", "00002-x"}, {"", "00003"}, {"é 1.5", "00004-é 1.5"},
	} {
		if got := newRun(t, outdir, c.desc); got != c.want {
			t.Errorf("run %d: %s, want %s", i, got, c.want)
		}
	}
	mkdir(t, outdir, "00041-imported")
	mkdir(t, outdir, "0099-short")
	write(t, filepath.Join(outdir, "00050-a-file"), nil)
	if got := newRun(t, outdir, "x"); got != "00042-x" {
		t.Errorf("after a gap: %s, want 00042-x", got)
	}
	mkdir(t, outdir, "99999-x")
	if got := newRun(t, outdir, "x"); got != "100000-x" {
		t.Errorf("after five digits: %s, want 100000-x", got)
	}
	for _, bad := range []string{"a/b", `a\b`, "..", "a:", "a.", "a ", "a\n", "\xff", strings.Repeat("x", 201)} {
		if dir, err := NewRun(outdir, bad); err == nil {
			t.Errorf("description %q made %s", bad, dir)
		}
	}
	if got := names(t, outdir); strings.Contains(got, ".reserve") {
		t.Errorf("reservations are left: %s", got)
	}
}

func TestNewRunBadPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	if _, err := NewRun(file, "x"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names %s", err, file)
	}
}

// A reservation that a killed process left costs its number, no more.
func TestNewRunDeadReservation(t *testing.T) {
	outdir := t.TempDir()
	newRun(t, outdir, "a")
	mkdir(t, outdir, ".reserve-00001")
	if got := newRun(t, outdir, "b"); got != "00002-b" {
		t.Errorf("got %s, want 00002-b", got)
	}
	if got := names(t, outdir); got != "00000-a 00002-b" {
		t.Errorf("folder holds %s", got)
	}
}

// Many goroutines and processes at once, with different descriptions so that
// the folders' names alone do not collide: no number occurs twice.
func TestNewRunRace(t *testing.T) {
	outdir := t.TempDir()
	const goroutines, processes, each = 4, 3, 10
	var helpers []*exec.Cmd
	for range processes {
		cmd := command("new-run", outdir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		helpers = append(helpers, cmd)
	}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for range each {
				if _, err := NewRun(outdir, fmt.Sprint("g", g)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, cmd := range helpers {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	found, err := runs(outdir)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(found); i++ {
		if found[i].number == found[i-1].number {
			t.Errorf("%s and %s have one number", found[i-1].name, found[i].name)
		}
	}
	if want := (goroutines + processes) * each; len(found) != want || len(strings.Fields(names(t, outdir))) != want {
		t.Errorf("%d run folders in %s, want %d and nothing else", len(found), names(t, outdir), want)
	}
}

func TestLatestRun(t *testing.T) {
	outdir := t.TempDir()
	for _, dir := range []string{outdir, filepath.Join(outdir, "missing")} {
		if _, err := LatestRun(dir); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), dir) {
			t.Errorf("nothing there: %v, want ErrNone with the folder", err)
		}
	}
	for _, name := range []string{"00000-a", "00001-b", "00002-c", "00010-d", "100000-e", "zzz"} {
		mkdir(t, outdir, name)
	}
	save(t, filepath.Join(outdir, "00001-b"), Snapshot, 1, small())
	save(t, filepath.Join(outdir, "00001-b"), State, 1, small())
	save(t, filepath.Join(outdir, "00010-d"), State, 1, small())
	for _, c := range []struct {
		has  []Kind
		want string
	}{
		{nil, "100000-e"},
		{[]Kind{State}, "00010-d"},
		{[]Kind{Snapshot}, "00001-b"},
		{[]Kind{Snapshot, State}, "00001-b"},
	} {
		if dir, err := LatestRun(outdir, c.has...); err != nil || filepath.Base(dir) != c.want {
			t.Errorf("%v: %s, %v; want %s", c.has, dir, err, c.want)
		}
	}
	if err := os.RemoveAll(filepath.Join(outdir, "00001-b")); err != nil {
		t.Fatal(err)
	}
	if _, err := LatestRun(outdir, Snapshot); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("no snapshot: %v", err)
	}
}

// tryLock asks another process for the lock and returns its complaint.
func tryLock(t *testing.T, dir string) string {
	t.Helper()
	cmd := command("try-lock", dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second in this process: %v, want ErrLocked", err)
	}
	pid := fmt.Sprintf("process %d ", os.Getpid())
	if got := tryLock(t, dir); !strings.Contains(got, dir) || !strings.Contains(got, pid) {
		t.Errorf("another process is told %q, want the folder and %q", got, pid)
	}
	for range 2 {
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
	if got := tryLock(t, dir); got != "" {
		t.Errorf("after release another process is told %q", got)
	}
	if _, err := Lock(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("missing folder: %v", err)
	}
}

// kill -9 leaves the lock's file and frees the lock.
func TestLockOfKilledProcess(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		cmd := start(t, "lock", dir)
		_, err := Lock(dir)
		if want := fmt.Sprintf("process %d ", cmd.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Fatalf("while held: %v, want %q", err, want)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		release := lockSoon(t, dir)
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
}

// lockSoon allows the system a moment to bury a process (Windows does not
// promise when the locks of a dead one go).
func lockSoon(t *testing.T, dir string) func() error {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		release, err := Lock(dir)
		if err == nil {
			return release
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// A holder that is just about to write its name, or wrote nonsense.
func TestLockHolderUnknown(t *testing.T) {
	for _, text := range []string{"", "{", "{}", "[1]", strings.Repeat("x", 10000)} {
		if got := readHolder(strings.NewReader(text)); got != "another process" {
			t.Errorf("%.20q: %s", text, got)
		}
	}
	if got := readHolder(io.LimitReader(strings.NewReader(`{"pid":7,"host":"a\u001bb"}`), 100)); strings.Contains(got, "\x1b") {
		t.Errorf("control characters reach the terminal: %q", got)
	}
}
