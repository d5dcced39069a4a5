package checkpoints

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edm/internal/atomicfile"
)

// lockName is a file that stays in the run's folder. The system's lock on it counts,
// which ends with the process that holds it.
const lockName = ".lock"

// ErrLocked says that a run's folder is in use.
var ErrLocked = errors.New("in use")

// holder is the text that the lock's owner writes into it for others to read.
type holder struct {
	PID   int    `json:"pid"`
	Host  string `json:"host"`
	Since string `json:"since"`
}

// Lock takes dir for this process. While another one, or another call in this
// one, holds it the error is ErrLocked and names the holder. The lock is gone
// when release is called or the process ends, kill -9 included; a release that
// is called again returns what it returned first. Keep release: when it is
// collected as garbage the lock is lost too. On a file system without locks
// the error is errors.ErrUnsupported.
func Lock(dir string) (release func() error, err error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("checkpoints: lock %s: %w", dir, err)
	}
	ok, err := atomicfile.TryLock(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("checkpoints: lock %s: %w", dir, err)
	}
	if !ok {
		defer f.Close()
		return nil, fmt.Errorf("checkpoints: lock %s: %w by %s; wait for it, stop it, or use another run folder",
			dir, ErrLocked, readHolder(f))
	}
	writeHolder(f)
	return sync.OnceValue(func() error {
		return errors.Join(f.Truncate(0), f.Close())
	}), nil
}

// writeHolder leaves this process's name in the lock. It is for people only,
// so a full disk is no reason to fail.
func writeHolder(f *os.File) {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	text, err := json.Marshal(holder{os.Getpid(), host, time.Now().UTC().Format(time.RFC3339)})
	if err != nil || f.Truncate(0) != nil {
		return
	}
	f.WriteAt(append(text, '\n'), 0)
}

// readHolder describes the process that holds the lock, as far as the file
// tells: its owner may be just about to write it.
func readHolder(f io.Reader) string {
	const limit = 4096
	text, err := io.ReadAll(io.LimitReader(f, limit))
	var h holder
	if err != nil || json.Unmarshal(text, &h) != nil || h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %q since %q", h.PID, h.Host, h.Since)
}
