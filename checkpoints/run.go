package checkpoints

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"edm/internal/atomicfile"
)

var (
	runName     = regexp.MustCompile(`^([0-9]{5,})(-.*)?$`)
	reserveName = regexp.MustCompile(`^\.reserve-([0-9]{5,})$`)
)

// maxDesc keeps folder names within the limits of every file system.
const maxDesc = 200

// NewRun makes the next free folder of outdir, 00000-desc, 00001-desc and so
// on, or 00000 for an empty desc, and returns its path. outdir is made if need
// be. No two calls get the same number, also in different processes. A desc
// that cannot be part of a file name on every system is an error.
func NewRun(outdir, desc string) (dir string, err error) {
	if err := checkDesc(desc); err != nil {
		return "", fmt.Errorf("checkpoints: new run in %s: %w", outdir, err)
	}
	if err := os.MkdirAll(outdir, 0o755); err != nil {
		return "", fmt.Errorf("checkpoints: new run: %w", err)
	}
	// A reservation lasts for two system calls. One that is still there after
	// patience attempts is a dead process's, and its number is skipped.
	const attempts, patience = 20_000, 200
	for i := range attempts {
		dir, ok, err := claim(outdir, desc, i/patience)
		// Windows says so of a folder that is just being removed.
		busy := runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission) && i < patience
		if err != nil && !busy {
			return "", fmt.Errorf("checkpoints: new run: %w", err)
		}
		if ok {
			return dir, nil
		}
		time.Sleep(time.Duration(rand.Int64N(int64(4 * time.Millisecond))))
	}
	return "", fmt.Errorf("checkpoints: new run in %s: no number could be claimed; remove its .reserve-* folders", outdir)
}

func checkDesc(desc string) error {
	bad := strings.IndexFunc(desc, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`<>:"/\|?*`, r)
	})
	if bad >= 0 || !utf8.ValidString(desc) || strings.TrimRight(desc, ". ") != desc || len(desc) > maxDesc {
		return fmt.Errorf("description %q cannot be part of a folder name: "+
			`want at most %d bytes without <>:"/\|?*, control characters or a final dot or space`, desc, maxDesc)
	}
	return nil
}

// claim takes the number after the highest one, plus skip. Folders of one
// number may differ in desc, so the folder itself cannot tell who was first: a
// reservation named after the number alone can, since Mkdir has one winner.
func claim(outdir, desc string, skip int) (dir string, ok bool, err error) {
	next, err := nextRun(outdir)
	if err != nil {
		return "", false, err
	}
	n := next + skip
	reserve := filepath.Join(outdir, fmt.Sprintf(".reserve-%05d", n))
	if err := os.Mkdir(reserve, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return "", false, err
	}
	defer os.Remove(reserve)
	// Whoever held the reservation before may have used the number.
	if next, err = nextRun(outdir); err != nil || next > n {
		return "", false, err
	}
	name := fmt.Sprintf("%05d", n)
	if desc != "" {
		name += "-" + desc
	}
	dir = filepath.Join(outdir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", false, err
	}
	dropReservations(outdir, n)
	return dir, true, atomicfile.SyncDir(outdir)
}

// dropReservations removes reservations up to n, now that a folder with n is
// there: no one takes these numbers any more, with or without a reservation.
func dropReservations(outdir string, n int) {
	entries, err := os.ReadDir(outdir)
	if err != nil {
		return // they cost nothing but the sight of them
	}
	for _, e := range entries {
		if m := reserveName.FindStringSubmatch(e.Name()); m != nil {
			if old, err := strconv.Atoi(m[1]); err == nil && old <= n {
				os.Remove(filepath.Join(outdir, e.Name()))
			}
		}
	}
}

type run struct {
	number int
	name   string
}

// runs returns the run folders in outdir, by ascending number, then name.
func runs(outdir string) ([]run, error) {
	entries, err := os.ReadDir(outdir)
	if err != nil {
		return nil, err
	}
	var found []run
	for _, e := range entries {
		m := runName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			continue
		}
		// Stat, since a link to a folder is as good as a folder.
		if st, err := os.Stat(filepath.Join(outdir, e.Name())); err == nil && st.IsDir() {
			found = append(found, run{n, e.Name()})
		}
	}
	slices.SortFunc(found, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
	return found, nil
}

func nextRun(outdir string) (int, error) {
	found, err := runs(outdir)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[len(found)-1].number + 1, nil
}

// LatestRun returns the run folder of outdir with the highest number that
// holds a file of every kind in has; with none given, the highest of all. If
// there is none the error is ErrNone.
func LatestRun(outdir string, has ...Kind) (dir string, err error) {
	found, err := runs(outdir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("checkpoints: find a run in %s: %w: no such folder", outdir, ErrNone)
	}
	if err != nil {
		return "", fmt.Errorf("checkpoints: find a run: %w", err)
	}
	for _, r := range slices.Backward(found) {
		dir := filepath.Join(outdir, r.name)
		ok, err := holds(dir, has)
		if err != nil {
			return "", err
		}
		if ok {
			return dir, nil
		}
	}
	want := ""
	for _, k := range has {
		want += " with a " + k.word()
	}
	return "", fmt.Errorf("checkpoints: find a run%s in %s: %w among its %d run folders", want, outdir, ErrNone, len(found))
}

func holds(dir string, has []Kind) (bool, error) {
	for _, k := range has {
		entries, err := List(dir, k)
		if err != nil || len(entries) == 0 {
			return false, err
		}
	}
	return true, nil
}
