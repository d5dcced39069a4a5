package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"edm/checkpoints"
	"edm/internal/cli"
)

// mainEnv makes the test binary be the command, so that a test has a process
// to kill.
const mainEnv = "EDM_TRAIN_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		os.Exit(cli.Main(newCommand()))
	}
	os.Exit(m.Run())
}

const (
	minKills  = 24
	killTicks = 20 // length of a run, in kimg
)

// killFlags train a tiny network on images of 4x4 pixels and save at each tick.
func killFlags(t *testing.T) []string {
	return []string{
		"--data", writeIDX(t, 64, 4, 0), "--model-channels=8", "--channel-mult=1", "--num-blocks=1", "--attn-resolutions=",
		"--batch=40", "--micro=20", "--duration=" + strconv.FormatFloat(killTicks*0.001, 'g', -1, 64), "--tick=1", "--dump=1", "--snap=0",
		"--validation=4", "--preview=0", "--threads=1",
	}
}

// victim is a run that is killed again and again.
type victim struct {
	flags   []string
	outdir  string
	at      int64 // images seen at the last resume
	kills   int
	resumes int
	anew    int // killed before the first state, in the first milliseconds
}

// TestKilledRunsResume kills runs at random moments, resumes each, and compares
// its snapshot and log with those of a run that nobody disturbed.
func TestKilledRunsResume(t *testing.T) {
	flags := killFlags(t)
	whole := &victim{flags: flags, outdir: t.TempDir()}
	began := time.Now()
	if !whole.attempt(t, time.Hour) {
		t.Fatal("the undisturbed run did not finish in an hour")
	}
	longest := time.Since(began) / 8
	wantFile, wantLog := whole.result(t)
	if len(wantLog) != killTicks {
		t.Fatalf("the log has ticks %v, want %d of them", wantLog, killTicks)
	}

	var kills, resumes, anew, runs int
	for kills < minKills {
		v := &victim{flags: flags, outdir: t.TempDir()}
		for finished := false; !finished; {
			limit := rand.N(longest)
			if kills+v.kills >= minKills {
				limit = time.Hour
			}
			finished = v.attempt(t, limit)
		}
		file, log := v.result(t)
		if !bytes.Equal(file, wantFile) {
			t.Fatalf("after %d kills and %d resumes the snapshot differs from the undisturbed run's", v.kills, v.resumes)
		}
		if !slices.Equal(log, wantLog) {
			t.Fatalf("after %d kills the log has ticks %v, want %v", v.kills, log, wantLog)
		}
		kills, resumes, anew, runs = kills+v.kills, resumes+v.resumes, anew+v.anew, runs+1
	}
	t.Logf("%d kills at random moments, %d resumes from a state, %d starts anew (killed before image 0 was saved), %d runs finished, 0 lost; snapshots equal byte for byte",
		kills, resumes, anew, runs)
}

var resumedFrom = regexp.MustCompile(`from image (\d+)`)

// attempt starts or resumes the run in a process of its own, kills that after
// limit, and returns whether it finished before.
func (v *victim) attempt(t *testing.T, limit time.Duration) (finished bool) {
	t.Helper()
	args := append(slices.Clone(v.flags), "--outdir", v.outdir)
	_, err := checkpoints.LatestRun(v.outdir, checkpoints.State)
	resume := err == nil
	if resume {
		args = []string{"--resume", "latest", "--outdir", v.outdir, "--preview=0", "--threads=1"}
	} else if !errors.Is(err, checkpoints.ErrNone) {
		t.Fatalf("lost after %d kills: %v", v.kills, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...) // kills, with SIGKILL where there are signals
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		if ctx.Err() == nil {
			t.Fatal(err)
		}
		return false // the limit passed before there was a process
	}
	switch {
	case resume:
		v.resumes++
	case v.kills > 0:
		v.anew++
	}
	if err := cmd.Wait(); err == nil {
		return true
	} else if !killed(ctx, err) {
		t.Fatalf("lost after %d kills: %v\n%s%s", v.kills, err, stdout.String(), stderr.String())
	}
	v.kills++
	if m := resumedFrom.FindStringSubmatch(stdout.String()); m != nil {
		at, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || at < v.at {
			t.Fatalf("kill %d: resumed from image %s after image %d: %v", v.kills, m[1], v.at, err)
		}
		v.at = at
	}
	return false
}

// killed reports whether a process ended by our kill rather than by itself.
func killed(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		return false
	}
	var exit *exec.ExitError
	return errors.As(err, &exit) && (exit.ExitCode() == -1 || runtime.GOOS == "windows")
}

// result returns the run's last snapshot and the ticks of its log.
func (v *victim) result(t *testing.T) (snapshot []byte, ticks []int64) {
	t.Helper()
	dir, err := checkpoints.LatestRun(v.outdir, checkpoints.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if snapshot, err = os.ReadFile(filepath.Join(dir, checkpoints.Snapshot.FileName(killTicks*1000))); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		var tick struct {
			NImg int64 `json:"nimg"`
		}
		if err := json.Unmarshal(line, &tick); err != nil {
			t.Fatalf("log.jsonl: %v in %q", err, line)
		}
		ticks = append(ticks, tick.NImg)
	}
	return snapshot, ticks
}
