//go:build linux || darwin

package checkpoints

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk that fills up in the middle of a file or a line: the same files as
// before are there, and work goes on once there is room again. A limit on file
// sizes holds for a whole process, the log that go test keeps of a test
// included, so this one has a process of its own.
func TestDiskFull(t *testing.T) {
	if os.Getenv(limitedProcess) == "" {
		inLimitedProcess(t)
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	dir := t.TempDir()
	path := save(t, dir, State, 1, stateOf(1))
	before := read(t, path)
	log := openLog(t, dir)
	appendTicks(t, log, 1)

	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	full := func(size uint64, f func() error) error {
		limit := old
		limit.Cur = size
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		err := f()
		return errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old))
	}
	for _, nimg := range []int64{1, 2} {
		err := full(1<<20, func() error { _, err := Save(dir, State, nimg, stateOf(2)); return err })
		if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), State.FileName(nimg)) {
			t.Errorf("save %d: %v, want EFBIG with the path", nimg, err)
		}
	}
	logged := read(t, filepath.Join(dir, "log.jsonl"))
	if err := full(uint64(len(logged))+10, func() error { return log.Append(tick{NImg: 2}) }); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("append: %v, want EFBIG", err)
	}
	if got := read(t, filepath.Join(dir, "log.jsonl")); !bytes.Equal(got, logged) {
		t.Errorf("half a line is left in the log: %q", got[len(logged):])
	}
	if got := names(t, dir); got != "log.jsonl "+State.FileName(1) || !bytes.Equal(before, read(t, path)) {
		t.Errorf("the folder holds %s, or the old state changed", got)
	}
	appendTicks(t, log, 2)
	if got := fmt.Sprint(nimgsOf(t, dir)); got != "[1 2]" {
		t.Errorf("log holds %s, want [1 2]", got)
	}
}

// limitedProcess is set in the environment of a process that may set limits.
const limitedProcess = "EDM_TEST_LIMITED_PROCESS"

// inLimitedProcess runs the calling test in such a process.
func inLimitedProcess(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), limitedProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Where nothing may be written, each call says where. The superuser may
// everywhere but in a folder that is gone.
func TestFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	for name, f := range map[string]func() error{
		"Save":    func() error { _, err := Save(dir, State, 1, small()); return err },
		"Lock":    func() error { _, err := Lock(dir); return err },
		"OpenLog": func() error { _, err := OpenLog(dir); return err },
		"Latest":  func() error { _, _, err := Latest(dir, State, nil); return err },
		"Prune":   func() error { return Prune(dir, 1) },
	} {
		if err := f(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want one that names %s", name, err, dir)
		}
	}
}
