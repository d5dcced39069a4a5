package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"edm/checkpoints"
	"edm/internal/cli"
	"edm/internal/picture"
	"edm/model"
	"edm/train"
)

// A run from the command line: its folder holds what it should, off a terminal
// the output is plain lines, and it goes on where it stopped.
func TestTrainAndResume(t *testing.T) {
	out := t.TempDir()
	flags := tinyFlags(t, out)
	code, stdout, stderr := execute(append(flags, "--cond", "--desc", "trial")...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	dir, err := checkpoints.LatestRun(out)
	if err != nil {
		t.Fatal(err)
	}
	if name := filepath.Base(dir); !strings.HasPrefix(name, "00000-") || !strings.HasSuffix(name, "-cond-ddpmpp-edm-batch8-trial") {
		t.Errorf("run folder is %s", name)
	}
	snapshot := filepath.Join(dir, checkpoints.Snapshot.FileName(16))
	for _, want := range []string{"training in " + dir, "16/16 images, loss ", "validation ", "img/s", "preview ", "finished after 16 images", "edm-sample --network " + snapshot} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.ContainsAny(stdout, "\r\x1b") {
		t.Errorf("output off a terminal has control characters: %q", stdout)
	}
	checkSnapshot(t, snapshot)
	checkPreview(t, filepath.Join(dir, "samples-000000016.png"))

	code, stdout, stderr = execute("--resume", "latest", "--outdir", out, "--duration", "0.000032", "--preview", "0", "--threads", "1")
	if code != 0 || stderr != "" {
		t.Fatalf("resume: exit status %d: %s", code, stderr)
	}
	for _, want := range []string{"resuming " + dir + ", from image 16", "32/32 images", "finished after 32 images"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output of the resumed run lacks %q:\n%s", want, stdout)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "samples-000000032.png")); !os.IsNotExist(err) {
		t.Error("--preview 0 draws a preview")
	}

	code, _, stderr = execute("--resume", dir, "--lr", "0.5", "--threads", "1")
	if code != cli.ExitUsage || !strings.Contains(stderr, "lr: 0.5, was 0.002") {
		t.Errorf("a changed option on resume: exit status %d, prints %q", code, stderr)
	}
	release, err := checkpoints.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	code, _, stderr = execute("--resume", dir, "--duration", "1", "--threads", "1")
	if code != cli.ExitFailure || !strings.Contains(stderr, "in use") {
		t.Errorf("a second training on one folder: exit status %d, prints %q", code, stderr)
	}
}

func checkSnapshot(t *testing.T, path string) {
	t.Helper()
	f, err := checkpoints.Load(path, checkpoints.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := model.FromSnapshot(f, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Config().Network; n.LabelDim != 3 || n.ImgResolution != 8 || n.ModelChannels != 8 {
		t.Errorf("snapshot's network is %+v", n)
	}
}

func checkPreview(t *testing.T, path string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if w := img.Bounds().Dx(); w != 2*(8+picture.Gap)+picture.Gap {
		t.Errorf("preview of 2 images is %d wide", w)
	}
}

// canceller is an output that cancels a context when it sees a text.
type canceller struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	text   string
	cancel func()
}

func (c *canceller) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.buf.Write(p)
	if strings.Contains(c.buf.String(), c.text) {
		c.cancel()
	}
	return n, err
}

// An interrupted run saves, has status 0 and says how to go on; then it does.
func TestInterruptAndResume(t *testing.T) {
	out := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stdout := &canceller{text: "training in", cancel: cancel}
	cmd := newCommand()
	cmd.SetOut(stdout)
	cmd.SetErr(stdout)
	cmd.SetArgs(append(tinyFlags(t, out), "--duration=1"))
	if code := cli.Run(ctx, cmd); code != 0 {
		t.Fatalf("exit status %d: %s", code, stdout.buf.String())
	}
	dir, err := checkpoints.LatestRun(out, checkpoints.State, checkpoints.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if want := "continue with\n  edm-train --resume " + dir; !strings.Contains(stdout.buf.String(), want) {
		t.Errorf("output lacks %q:\n%s", want, stdout.buf.String())
	}
	code, _, stderr := execute("--resume", dir, "--duration", "0.000016", "--preview", "0", "--threads", "1")
	if code != 0 {
		t.Errorf("resume: exit status %d: %s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, checkpoints.Snapshot.FileName(16))); err != nil {
		t.Error(err)
	}
}

// --dry-run says what a run would be and makes nothing.
func TestDryRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "runs")
	code, stdout, stderr := execute(append(tinyFlags(t, out), "--dry-run")...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{"model_channels: 8\n", "resolution: 8\n", "64 images of 1x8x8", "parameters ", "memory ", "GFLOP", "for 16 images at ", "recompute   nothing ", "--recompute-light ", "--recompute 8 "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	text, _, _ := strings.Cut(stdout, "\n\n")
	if _, err := train.ParseConfig([]byte(text), train.Config{}); err != nil {
		t.Errorf("the printed configuration is no configuration: %v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Error("a dry run makes a folder")
	}
}

// A new run may start from another's weights; one of another shape is refused.
func TestTransfer(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	if code, _, stderr := execute(append(tinyFlags(t, first), "--preview=0")...); code != 0 {
		t.Fatal(stderr)
	}
	dir, err := checkpoints.LatestRun(first)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := execute(append(tinyFlags(t, second), "--preview=0", "--transfer", dir)...); code != 0 {
		t.Errorf("exit status %d: %s", code, stderr)
	}
	third := filepath.Join(t.TempDir(), "runs")
	if code, _, stderr := execute(append(tinyFlags(t, third), "--dry-run", "--transfer", dir)...); code != 0 {
		t.Errorf("--dry-run of a transfer exits with %d: %s", code, stderr)
	}
	code, _, stderr := execute(append(tinyFlags(t, third), "--dry-run", "--transfer", dir, "--model-channels=16")...)
	if code != 1 || !strings.Contains(stderr, "--transfer") {
		t.Errorf("--dry-run of a transfer that does not fit exits with %d: %s", code, stderr)
	}
	code, _, stderr = execute(append(tinyFlags(t, third), "--transfer", dir, "--model-channels=16")...)
	if code != cli.ExitFailure || !strings.Contains(stderr, "another architecture") {
		t.Errorf("a network of another width: exit status %d, prints %q", code, stderr)
	}
	if _, err := os.Stat(third); !os.IsNotExist(err) {
		t.Error("a refused transfer leaves a folder")
	}
}

// A run may start from a published network pickle, whose snapshot is made beside
// it once.
func TestTransferFromPickle(t *testing.T) {
	packed, err := os.Open(filepath.Join("..", "..", "internal", "netpkl", "testdata", "network-snapshot-ncsnpp-uncond.pkl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	pickle := writeFile(t, filepath.Join(t.TempDir(), "net.pkl"), text)
	snapshot := strings.TrimSuffix(pickle, ".pkl") + ".safetensors"
	out := t.TempDir()
	code, _, stderr := execute("--data", writeIDX(t, 64, 16, 0), "--channels=3", "--arch=ncsnpp", "--cbase=16", "--cres=1,2", "--num-blocks=1",
		"--attn-resolutions=8", "--batch=8", "--duration=0.000008", "--preview=0", "--outdir", out, "--transfer", pickle)
	if code != 0 || !strings.Contains(stderr, snapshot) || !strings.Contains(stderr, "CC BY-NC-SA") {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	if _, err := os.Stat(snapshot); err != nil {
		t.Error(err)
	}
	dir, err := checkpoints.LatestRun(out)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := train.LoadConfig(dir); err != nil || c.Transfer != snapshot {
		t.Errorf("the run starts from %q, want %s: %v", c.Transfer, snapshot, err)
	}
}

// A folder of runs that cannot be made is a failure that names it.
func TestUnwritableOutdir(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "file"), nil)
	code, _, stderr := execute(append(tinyFlags(t, filepath.Join(file, "runs")), "--preview=0")...)
	if code != cli.ExitFailure || !strings.Contains(stderr, file) {
		t.Errorf("exit status %d, prints %q", code, stderr)
	}
}

func TestPreviewPath(t *testing.T) {
	got := previewPath(filepath.Join("snapshot-runs", checkpoints.Snapshot.FileName(30_000)))
	if want := filepath.Join("snapshot-runs", "samples-000030000.png"); got != want {
		t.Errorf("preview is %s, want %s", got, want)
	}
}

func TestAttentionThatNoLevelReaches(t *testing.T) {
	args := append(tinyFlags(t, t.TempDir()), "--preview=0", "--dry-run")
	if code, _, stderr := execute(append(args, "--attn-resolutions=5")...); code != cli.ExitUsage || !strings.Contains(stderr, "levels are") {
		t.Errorf("exit status %d, prints %q", code, stderr)
	}
}
