//go:build linux || darwin

package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user without rights of its own, by custom.
const nobody = 65534

func platformHelper(role, path string) error {
	switch role {
	case "limit":
		return helperLimit(path)
	case "read-only":
		return helperReadOnly(path)
	}
	return fmt.Errorf("unknown role %q", role)
}

// helperLimit lets the system refuse a write half-way, as a full disk does.
func helperLimit(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 16, Max: 1 << 16}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	err := WriteFile(path, make([]byte, 1<<20), 0o644)
	if !errors.Is(err, syscall.EFBIG) || strings.Contains(err.Error(), ".edm-") {
		return fmt.Errorf("got %w, want EFBIG without the temporary's name", err)
	}
	return nil
}

// helperReadOnly writes where it may not. The superuser may everywhere, so it
// becomes someone else first; the relative path spares the folders above.
func helperReadOnly(path string) error {
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	if err := WriteFile(filepath.Base(path), []byte("new"), 0o644); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("got %w, want permission denied", err)
	}
	return nil
}

func TestSystemRefuses(t *testing.T) {
	for _, role := range []string{"limit", "read-only"} {
		dir := filepath.Join(t.TempDir(), role)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "a")
		if err := WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		if role == "read-only" {
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
		}
		cmd, _ := start(t, role, path)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if got := contents(t, path); got != "old" || names(t, dir) != "a" {
			t.Errorf("%s: file %q, folder %q", role, got, names(t, dir))
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
