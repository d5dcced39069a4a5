package checkpoints

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edm/internal/atomicfile"

	"github.com/google/go-cmp/cmp"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"state-000000002.safetensors", "state-1000000000.safetensors", "state-000000010.safetensors",
		"snapshot-000000001.safetensors",
		"state-1.safetensors", "state-0000000003.safetensors", "state--00000003.safetensors", "state-+00000003.safetensors",
		"state-99999999999999999999.safetensors", "state-000000004.safetensors.tmp", "xstate-000000004.safetensors",
		".edm-0123456789abcdef.tmp", "log.jsonl", "000000007",
	} {
		write(t, filepath.Join(dir, name), nil)
	}
	mkdir(t, dir, "state-000000005.safetensors")
	entries, err := List(dir, State)
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{filepath.Join(dir, "state-000000002.safetensors"), 2},
		{filepath.Join(dir, "state-000000010.safetensors"), 10},
		{filepath.Join(dir, "state-1000000000.safetensors"), 1_000_000_000},
	}
	if d := cmp.Diff(want, entries); d != "" {
		t.Error(d)
	}
	if _, err := List(filepath.Join(dir, "missing"), State); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestLatest(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Latest(dir, State, nil); !errors.Is(err, ErrNone) {
		t.Errorf("empty folder: %v, want ErrNone", err)
	}
	var paths []string
	for n := range int64(4) {
		paths = append(paths, save(t, dir, State, n*1000, stateOf(n)))
	}
	save(t, dir, Snapshot, 9000, small())
	flip(t, paths[3])
	write(t, paths[2], read(t, paths[2])[:1000])
	var warnings []string
	warn := func(s string) { warnings = append(warnings, s) }
	path, f, err := Latest(dir, State, warn)
	if err != nil || path != paths[1] || f.Metadata["nimg"] != "1" {
		t.Fatalf("got %s, %v; want %s", path, err, paths[1])
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], paths[3]) || !strings.Contains(warnings[1], paths[2]) {
		t.Errorf("warnings %q, want one for each damaged file, newest first", warnings)
	}
	flip(t, paths[1])
	flip(t, paths[0])
	_, _, err = Latest(dir, State, nil)
	if !errors.Is(err, ErrDamaged) || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), paths[3]) {
		t.Errorf("all damaged: %v", err)
	}
}

// Going back behind a file that an update could read would lose work.
func TestLatestStopsAtNewer(t *testing.T) {
	dir := t.TempDir()
	old := save(t, dir, State, 1, small())
	newer := filepath.Join(dir, State.FileName(2))
	sealAs(t, newer, string(State), "2")
	if path, _, err := Latest(dir, State, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("got %s, %v; want ErrNewer", path, err)
	}
	flip(t, newer)
	if path, _, err := Latest(dir, State, nil); err != nil || path != old {
		t.Errorf("damaged newer file: %s, %v; want %s", path, err, old)
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	for n := range int64(8) {
		path := save(t, dir, State, n, small())
		if n == 1 || n == 5 || n == 7 {
			flip(t, path)
		}
	}
	sealAs(t, filepath.Join(dir, State.FileName(2)), string(State), "2")
	save(t, dir, Snapshot, 0, small())
	nimgs := func() string {
		entries, err := List(dir, State)
		if err != nil {
			t.Fatal(err)
		}
		var s []int64
		for _, e := range entries {
			s = append(s, e.NImg)
		}
		return fmt.Sprint(s)
	}
	for _, keep := range []int{0, -1} {
		if err := Prune(dir, keep); err == nil || nimgs() != "[0 1 2 3 4 5 6 7]" {
			t.Fatalf("keep %d: error %v, states %s", keep, err, nimgs())
		}
	}
	for _, c := range []struct {
		keep int
		want string
	}{
		{100, "[0 1 2 3 4 5 6 7]"}, // fewer than asked for: nothing goes
		{3, "[2 3 4 5 6 7]"},       // 6, 4, 3 are sound; 2 is a newer format's
		{1, "[2 6 7]"},
	} {
		if err := Prune(dir, c.keep); err != nil {
			t.Fatal(err)
		}
		if got := nimgs(); got != c.want {
			t.Errorf("keep %d: %s, want %s", c.keep, got, c.want)
		}
	}
	if entries, err := List(dir, Snapshot); err != nil || len(entries) != 1 {
		t.Errorf("snapshots %v, %v; want one left alone", entries, err)
	}
}

// A process that saves without pause is killed at random moments. After every
// kill the newest state is sound and whole without a warning, nothing that was
// saved before is lost, and the log can be opened and fits. The loop goes on
// until some kill has also hit a file half-way and something was saved; kills
// come later where the machine is too slow for that.
func TestKillLoop(t *testing.T) {
	const kills, patience = 20, 400
	dir := t.TempDir()
	save(t, dir, State, 0, stateOf(0))
	last, midway, window := int64(0), 0, 40*time.Millisecond
	for i := 0; i < kills || midway == 0 || last == 0; i++ {
		if i == patience {
			t.Fatalf("after %d kills %d states were saved and %d writes hit half-way: the test tests nothing", i, last, midway)
		}
		cmd := start(t, "save", dir)
		time.Sleep(rand.N(window))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if strings.Contains(names(t, dir), ".tmp") {
			midway++
		}
		before := last
		if last = checkKilled(t, dir, last); last == before {
			window = min(window+window/4, 2*time.Second)
		}
	}
	t.Logf("%d states saved, %d kills half-way through a file", last, midway)
}

// checkKilled inspects what a killed helper left and returns its newest nimg.
func checkKilled(t *testing.T, dir string, last int64) int64 {
	t.Helper()
	path, f, err := Latest(dir, State, func(s string) { t.Errorf("a kill damaged a file: %s", s) })
	if err != nil {
		t.Fatal(err)
	}
	entries, err := List(dir, State)
	if err != nil {
		t.Fatal(err)
	}
	n := entries[len(entries)-1].NImg
	if n < last || path != entries[len(entries)-1].Path {
		t.Fatalf("latest is %s, before it was %d", path, last)
	}
	want := stateOf(n)
	if f.Metadata["nimg"] != want.Metadata["nimg"] || !slices.Equal(f.Tensors["w"].Data, want.Tensors["w"].Data) {
		t.Fatalf("%s holds something else", path)
	}
	if err := atomicfile.CleanStale(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); strings.Contains(got, ".tmp") {
		t.Fatalf("left after cleaning: %s", got)
	}
	log, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.TruncateAfter(n); err != nil {
		t.Fatal(err)
	}
	for i, got := range nimgsOf(t, dir) {
		if got != int64(i)+1 {
			t.Fatalf("line %d of the log has nimg %d", i, got)
		}
	}
	if got := int64(len(nimgsOf(t, dir))); got != n {
		t.Fatalf("%d lines in the log for a state at %d", got, n)
	}
	return n
}
