package checkpoints

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"edm/checkpoints/safetensors"
)

// Entry is a file that List found. Its name was read, its contents were not.
type Entry struct {
	Path string
	NImg int64
}

// List returns the files of a kind in dir, by ascending nimg. Files under
// other names, unfinished ones among them, are left out.
func List(dir string, kind Kind) ([]Entry, error) {
	if err := kind.check(); err != nil {
		return nil, fmt.Errorf("checkpoints: list %s: %w", dir, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("checkpoints: list %s: %w", dir, bare(err))
	}
	var entries []Entry
	for _, f := range files {
		if nimg, ok := kind.parseName(f.Name()); ok && !f.IsDir() {
			entries = append(entries, Entry{filepath.Join(dir, f.Name()), nimg})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.NImg, b.NImg) })
	return entries, nil
}

// parseName is the inverse of FileName.
func (k Kind) parseName(name string) (nimg int64, ok bool) {
	digits := strings.TrimSuffix(strings.TrimPrefix(name, k.word()+"-"), ".safetensors")
	nimg, err := strconv.ParseInt(digits, 10, 64)
	return nimg, err == nil && nimg >= 0 && k.FileName(nimg) == name
}

// Latest loads the newest file of a kind in dir that is sound. Each that is
// not is passed to warn, which may be nil, and the one before it is tried. A
// file of a newer format, and one that may not be read, are errors instead:
// going back behind them would lose work that an update or a chmod saves. If
// there are no files the error is ErrNone.
func Latest(dir string, kind Kind, warn func(string)) (path string, f *safetensors.File, err error) {
	entries, err := List(dir, kind)
	if err != nil {
		return "", nil, err
	}
	if len(entries) == 0 {
		return "", nil, fmt.Errorf("checkpoints: find %s-*.safetensors in %s: %w", kind.word(), dir, ErrNone)
	}
	var newest error
	for _, e := range slices.Backward(entries) {
		f, err := Load(e.Path, kind)
		if err == nil {
			return e.Path, f, nil
		}
		if isNewer(err) || errors.Is(err, fs.ErrPermission) {
			return "", nil, err
		}
		if newest == nil {
			newest = err
		}
		if warn != nil {
			warn(err.Error() + "; skipped")
		}
	}
	return "", nil, fmt.Errorf("checkpoints: find %s in %s: none of %d files can be used, the newest because: %w",
		kind.word(), dir, len(entries), newest)
}

// isNewer reports a sound file of a newer format; one whose version a flipped
// bit has raised is damaged.
func isNewer(err error) bool { return errors.Is(err, ErrNewer) && !errors.Is(err, ErrDamaged) }

// Prune removes training states from dir but for the newest keep that are
// sound; those are checked in full. Damaged states older than these go too;
// newer ones stay, and so does whatever this program cannot judge. keep must
// be at least 1.
func Prune(dir string, keep int) error {
	if keep < 1 {
		return fmt.Errorf("checkpoints: prune %s: asked to keep %d states, want at least 1", dir, keep)
	}
	entries, err := List(dir, State)
	if err != nil {
		return err
	}
	var errs []error
	kept := 0
	for _, e := range slices.Backward(entries) {
		err := Verify(e.Path, State)
		switch {
		case err == nil && kept < keep:
			kept++
		case kept == keep && (err == nil || errors.Is(err, ErrDamaged)):
			if err := os.Remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("checkpoints: prune: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}
