package atomicfile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// removeOpen says that an open file cannot be removed here.
const removeOpen = false

// rename retries for a while: a virus scanner, an indexer or a reader that has
// the target open for a moment makes Windows refuse what it allows right after.
func rename(from, to string) error {
	const patience = 2 * time.Second
	wait := time.Millisecond
	for start := time.Now(); ; wait = min(2*wait, 100*time.Millisecond) {
		err := os.Rename(from, to)
		busy := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
		if !busy || time.Since(start) > patience {
			return err
		}
		time.Sleep(wait)
	}
}

// SyncDir does nothing: Windows has no call for it and orders the metadata of
// NTFS in a journal of its own.
func SyncDir(string) error { return nil }
