package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestExitCode(t *testing.T) {
	plain := errors.New("disk is full")
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, ExitOK}, {Usage(nil), ExitOK}, {plain, ExitFailure}, {Usage(plain), ExitUsage},
		{fmt.Errorf("run: %w", Usagef("--lr is %d", -1)), ExitUsage},
		{errors.Join(Usage(plain), plain), ExitUsage},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
	if !errors.Is(Usage(plain), plain) {
		t.Error("Usage hides its cause")
	}
}

func command(run func() error) (*cobra.Command, *bytes.Buffer) {
	var stderr bytes.Buffer
	cmd := &cobra.Command{Use: "tool", RunE: func(*cobra.Command, []string) error { return run() }}
	Prepare(cmd, func(name string) string { return strings.ReplaceAll(name, "_", "-") })
	cmd.Flags().Int("batch-size", 1, "")
	cmd.Flags().Bool("cond", false, "")
	cmd.SetErr(&stderr)
	cmd.SetOut(&stderr)
	return cmd, &stderr
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		args string
		err  error
		code int
		want string
	}{
		{"--batch_size 3", nil, 0, ""},
		{"--batch-size 3 --cond", nil, 0, ""},
		{"--batch-size", nil, 2, "batch-size"},
		{"--batch-size x", nil, 2, `invalid argument "x" for "--batch-size" flag`},
		{"--what", nil, 2, "unknown flag: --what\ntool --help"},
		{"--cond true", nil, 2, `tool: unexpected argument "true"`},
		{"", errors.New("disk is full"), 1, "tool: disk is full\n"},
		{"", Usagef("--cond is odd"), 2, "tool: --cond is odd\ntool --help lists the flags\n"},
	} {
		cmd, stderr := command(func() error { return c.err })
		cmd.SetArgs(strings.Fields(c.args))
		if got := Run(context.Background(), cmd); got != c.code {
			t.Errorf("%q: exit status %d, want %d", c.args, got, c.code)
		}
		if !strings.Contains(stderr.String(), c.want) || (c.want == "") != (stderr.Len() == 0) {
			t.Errorf("%q prints %q, want %q", c.args, stderr.String(), c.want)
		}
	}
}

// The first signal cancels and lets the command finish; the second exits.
func TestWatch(t *testing.T) {
	signals, exits := make(chan os.Signal), make(chan int, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stderr bytes.Buffer
	done := make(chan struct{})
	go func() {
		watch(signals, cancel, &stderr, func(code int) { exits <- code })
		close(done)
	}()
	signals <- os.Interrupt
	<-ctx.Done()
	select {
	case code := <-exits:
		t.Fatalf("exit %d on the first signal", code)
	case <-time.After(10 * time.Millisecond):
	}
	signals <- syscall.SIGTERM
	if code := <-exits; code != ExitInterrupted {
		t.Errorf("exit %d on the second signal, want %d", code, ExitInterrupted)
	}
	<-done
	if !strings.Contains(stderr.String(), "once more to leave at once") {
		t.Errorf("the first signal prints %q", stderr.String())
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		done, left int64
		took       time.Duration
		note, want string
	}{
		{200, 1000, 4 * time.Second, "loss 0.25", "loss 0.25, 50 img/s, 20s left"},
		{1000, 36_000, 2 * time.Second, "", "500 img/s, 1m12s left"},
		{1000, -16, 2 * time.Second, "", "500 img/s, 0s left"},
		{0, 1000, 4 * time.Second, "loss 0.25", "loss 0.25"},
	} {
		if got := status(c.done, c.left, c.took, "img", c.note); got != c.want {
			t.Errorf("status %q, want %q", got, c.want)
		}
	}
}

func TestLeft(t *testing.T) {
	for _, rate := range []float64{0, math.NaN(), 1e-300} {
		if got := Left(10, rate); got != 0 {
			t.Errorf("Left(10, %v) = %v, want 0: it cannot be told", rate, got)
		}
	}
	if got := Left(10, 4); got != 3*time.Second {
		t.Errorf("Left(10, 4) = %v, want 3s", got)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 5 << 30: "5 GiB", 3 << 50: "3072 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// Off a terminal there is no bar, only lines.
func TestProgressOffTerminal(t *testing.T) {
	var bar, lines bytes.Buffer
	p := NewProgress(&bar, "img", 0, 10)
	p.Set(5, "loss 1")
	p.Println(&lines, "5/10")
	p.Close()
	p.Close()
	p.Set(10, "")
	if p.Shown() || bar.Len() > 0 || lines.String() != "5/10\n" {
		t.Errorf("bar %q, lines %q", bar.String(), lines.String())
	}
}

// With a bar, a line is written on a clean line, and the work never overshoots
// the bar: its last batch may pass the total.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{unit: "img", initial: 4, total: 10, began: time.Now().Add(-time.Second), bar: newBar(&out, 10)}
	p.Set(6, "loss 1.5")
	first := out.String()
	for _, want := range []string{"60%", "(6/10)", "loss 1.5", "img/s", "left"} {
		if !strings.Contains(first, want) {
			t.Errorf("bar %q lacks %q", first, want)
		}
	}
	out.Reset()
	p.Println(&out, "a line")
	if got := out.String(); !strings.HasPrefix(got, "\r") || !strings.HasSuffix(got, "\ra line\n") {
		t.Errorf("a line between is %q, want the bar blanked first", got)
	}
	out.Reset()
	p.Set(7, "too soon")
	if out.Len() > 0 {
		t.Errorf("the bar is redrawn at once: %q", out.String())
	}
	p.drawn = time.Time{}
	p.Set(12, "")
	p.Close()
	if p.Shown() {
		t.Error("the bar is there after Close")
	}
}
