//go:build linux || darwin

package checkpoints

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk that fills up in the middle of a file or a line: the same files as
// before are there, and work goes on once there is room again.
func TestDiskFull(t *testing.T) {
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
