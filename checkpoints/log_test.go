package checkpoints

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type tick struct {
	NImg int64   `json:"nimg"`
	Loss float64 `json:"loss"`
	Note string  `json:"note,omitempty"`
}

// nimgsOf reads the log as a user would: every line must be an object.
func nimgsOf(t *testing.T, dir string) []int64 {
	t.Helper()
	var out []int64
	for line := range bytes.Lines(read(t, filepath.Join(dir, "log.jsonl"))) {
		var v tick
		if err := json.Unmarshal(line, &v); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("line %q: %v", line, err)
		}
		out = append(out, v.NImg)
	}
	return out
}

func openLog(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func appendTicks(t *testing.T, l *Log, nimgs ...int64) {
	t.Helper()
	for _, n := range nimgs {
		if err := l.Append(tick{NImg: n, Loss: 0.5, Note: "a\nb"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogAppend(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	appendTicks(t, l, 1, 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir)
	appendTicks(t, l, 3)
	const line = `{"nimg":1,"loss":0.5,"note":"a\nb"}` + "\n"
	if got := string(read(t, filepath.Join(dir, "log.jsonl"))); !strings.HasPrefix(got, line) {
		t.Errorf("log begins %q, want %q", got, line)
	}
	if d := cmp.Diff([]int64{1, 2, 3}, nimgsOf(t, dir)); d != "" {
		t.Error(d)
	}
	for name, v := range map[string]any{
		"not an object": []int{1}, "no nimg": map[string]int{"n": 1}, "null": nil,
		"fraction": map[string]float64{"nimg": 1.5}, "text": map[string]string{"nimg": "1"},
		"null nimg": map[string]any{"nimg": nil}, "not finite": tick{4, math.NaN(), ""},
		"too long": tick{4, 0, strings.Repeat("x", maxLine)},
	} {
		if err := l.Append(v); err == nil || !strings.Contains(err.Error(), "log.jsonl") {
			t.Errorf("%s: %v, want an error that names the log", name, err)
		}
	}
	appendTicks(t, l, 4)
	if d := cmp.Diff([]int64{1, 2, 3, 4}, nimgsOf(t, dir)); d != "" {
		t.Error(d)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(tick{NImg: 5}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
}

// A log cut at any byte opens with all the lines that were whole.
func TestLogTornAnywhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log.jsonl")
	appendTicks(t, openLog(t, dir), 10, 20, 30)
	data := read(t, path)
	for n := range len(data) + 1 {
		write(t, path, data[:n])
		l := openLog(t, dir)
		whole := bytes.Count(data[:n], []byte("\n"))
		if got := len(nimgsOf(t, dir)); got != whole {
			t.Fatalf("cut at %d: %d lines, want %d", n, got, whole)
		}
		appendTicks(t, l, 99)
		if got := nimgsOf(t, dir); len(got) != whole+1 || got[whole] != 99 {
			t.Fatalf("cut at %d, then appended: %v", n, got)
		}
		l.Close()
	}
}

func TestLogRepairs(t *testing.T) {
	const one, two = `{"nimg":1}` + "\n", `{"nimg":2}` + "\n"
	for name, c := range map[string]struct{ have, want string }{
		"zeros of a power cut":  {one + strings.Repeat("\x00", 5000), one},
		"zeros with a newline":  {one + strings.Repeat("\x00", 50) + "\n", one},
		"empty lines":           {one + "\n\n", one},
		"half lines":            {one + `{"nim` + "\n" + `{"nimg":`, one},
		"object without nimg":   {one + "{}\n", one},
		"long line":             {one + strings.Repeat("x", 3*maxLine), one},
		"long whole line":       {one + strings.Repeat("x", 3*maxLine) + "\n", one},
		"long line ends sound":  {one + strings.Repeat("x", maxLine) + two, one},
		"nothing sound":         {"x\ny\n", ""},
		"garbage in the middle": {one + "x\n" + two + "{", one + "x\n" + two},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "log.jsonl")
		write(t, path, []byte(c.have))
		openLog(t, dir).Close()
		if got := string(read(t, path)); got != c.want {
			t.Errorf("%s: %d bytes %.40q, want %.40q", name, len(got), got, c.want)
		}
	}
	if _, err := OpenLog(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	dir := t.TempDir()
	mkdir(t, dir, "log.jsonl")
	if _, err := OpenLog(dir); err == nil {
		t.Error("a folder was opened as the log")
	}
}

// Resuming at any state leaves the ticks up to it, and those after once.
func TestLogTruncateAfter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		l := openLog(t, dir)
		defer l.Close()
		n := rapid.Int64Range(0, 8).Draw(rt, "ticks")
		for i := range n {
			appendTicks(t, l, (i+1)*10)
		}
		at := rapid.Int64Range(-5, 95).Draw(rt, "nimg")
		if err := l.TruncateAfter(at); err != nil {
			rt.Fatal(err)
		}
		var want []int64
		for i := range n {
			if (i+1)*10 <= at {
				want = append(want, (i+1)*10)
			}
		}
		if d := cmp.Diff(want, nimgsOf(t, dir)); d != "" {
			rt.Fatalf("after %d: %s", at, d)
		}
		appendTicks(t, l, at+1)
		if d := cmp.Diff(append(want, at+1), nimgsOf(t, dir)); d != "" {
			rt.Fatalf("appended after %d: %s", at, d)
		}
	})
}

func TestLogTruncateUnordered(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	appendTicks(t, l, 10, 20, 30, 20, 30)
	if err := l.TruncateAfter(20); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int64{10, 20}, nimgsOf(t, dir)); d != "" {
		t.Error(d)
	}
}

func TestLogConcurrent(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	var wg sync.WaitGroup
	for i := range int64(8) {
		wg.Go(func() {
			for range 5 {
				if err := l.Append(tick{NImg: i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(nimgsOf(t, dir)); got != 40 {
		t.Errorf("%d lines, want 40", got)
	}
}
