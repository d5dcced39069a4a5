package checkpoints

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"edm/internal/atomicfile"
)

// SupersededDir is the folder inside a run's into which Rewind moves files.
const SupersededDir = "superseded"

var numbered = regexp.MustCompile(`^(snapshot|state|samples)-([0-9]+)\.(safetensors|png)$`)

// Rewind moves the snapshots, states and previews of dir from beyond nimg
// images into SupersededDir, so that a run continued from an earlier state does
// not find the files of the course it left. Nothing is deleted but an earlier
// superseded file of the same name. It returns how many files it moved.
func Rewind(dir string, nimg int64) (moved int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("checkpoints: rewind %s: %w", dir, err)
	}
	aside := filepath.Join(dir, SupersededDir)
	for _, e := range entries {
		m := numbered.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		if n, err := strconv.ParseInt(m[2], 10, 64); err != nil || n <= nimg {
			continue
		}
		if err := os.MkdirAll(aside, 0o755); err != nil {
			return moved, fmt.Errorf("checkpoints: rewind: %w", err)
		}
		if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(aside, e.Name())); err != nil {
			return moved, fmt.Errorf("checkpoints: rewind: %w", err)
		}
		moved++
	}
	if moved == 0 {
		return 0, nil
	}
	if err := atomicfile.SyncDir(dir); err != nil {
		return moved, fmt.Errorf("checkpoints: rewind: %w", err)
	}
	return moved, nil
}
