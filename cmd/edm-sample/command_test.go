package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/checkpoints"
	"edm/data"
	"edm/internal/cli"
	"edm/internal/picture"
	"edm/model"
	"edm/train"
)

// execute runs the command and returns its exit status and what it printed.
func execute(args ...string) (code int, stdout, stderr string) {
	return executeContext(context.Background(), args...)
}

func executeContext(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	cmd := newCommand()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	code = cli.Run(ctx, cmd)
	return code, out.String(), errs.String()
}

// trained returns a folder of runs with one tiny run of two steps on 8x8 images
// in three classes.
func trained(t *testing.T, cond bool) (runs string, result train.Result) {
	t.Helper()
	return trainedAs(t, func(c *train.Config) { c.Cond = cond })
}

// trainedAs is trained with a configuration changed by set.
func trainedAs(t *testing.T, set func(*train.Config)) (runs string, result train.Result) {
	t.Helper()
	ds, err := data.Open(writeIDX(t, 64, 8, 3), data.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	c, err := train.Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Duration, c.Batch, c.Micro, c.Validation = 16e-6, 8, 8, 0
	c.ModelChannels, c.ChannelMult, c.AttnResolutions = 8, []int{1}, nil
	set(&c)
	c.SetData(ds)
	runs = t.TempDir()
	result, err = train.Run(context.Background(), c, train.Options{OutDir: runs, Dataset: ds, Device: model.Portable()})
	if err != nil {
		t.Fatal(err)
	}
	return runs, result
}

// writeIDX writes n images of random bytes, and labels, and returns the images'
// path.
func writeIDX(t *testing.T, n, size, classes int) string {
	t.Helper()
	dir := t.TempDir()
	images := binary.BigEndian.AppendUint32(nil, 0x803)
	for _, v := range []int{n, size, size} {
		images = binary.BigEndian.AppendUint32(images, uint32(v))
	}
	labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(n))
	for i := range n {
		for k := range size * size {
			images = append(images, byte(37*i+k*k))
		}
		labels = append(labels, byte(i%classes))
	}
	path := filepath.Join(dir, "train-images-idx3-ubyte")
	for name, text := range map[string][]byte{path: images, filepath.Join(dir, "train-labels-idx1-ubyte"): labels} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// From a trained run to pictures: the newest run is found, one PNG a seed is
// written with what made it, and a seed's image does not depend on the call.
func TestSample(t *testing.T) {
	runs, trained := trained(t, true)
	out := filepath.Join(t.TempDir(), "new", "samples")
	code, stdout, stderr := execute("--runs", runs, "--outdir", out, "--seeds", "0-2,1004", "--steps", "2", "--batch", "3")
	if code != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{trained.Snapshot, "deterministic (S_churn=0)", "3 network evaluations", "4/4 images", "4 images in " + out} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	for i, name := range []string{"000000.png", "000001.png", "000002.png", "001004.png"} {
		img, texts := readPNG(t, filepath.Join(out, name))
		if img.Bounds().Size() != image.Pt(8, 8) {
			t.Errorf("%s is %v", name, img.Bounds())
		}
		seed := []string{"0", "1", "2", "1004"}[i]
		for key, want := range map[string]string{"seed": seed, "solver": "heun", "steps": "2", "sigma_max": "80", "S_churn": "0", "nimg": "16"} {
			if texts[key] != want {
				t.Errorf("%s: text %s is %q, want %q", name, key, texts[key], want)
			}
		}
		if texts["class"] == "" || len(texts["network_sha256"]) != 64 {
			t.Errorf("%s: texts %v lack the class or the network", name, texts)
		}
	}
	grid, texts := readPNG(t, filepath.Join(out, "grid.png"))
	if want := image.Pt(2*(8+picture.Gap)+picture.Gap, 2*(8+picture.Gap)+picture.Gap); grid.Bounds().Size() != want {
		t.Errorf("grid of 4 is %v, want %v", grid.Bounds().Size(), want)
	}
	if texts["seeds"] != "0-2,1004" {
		t.Errorf("grid's seeds are %q", texts["seeds"])
	}

	again := t.TempDir()
	code, _, stderr = execute("--network", trained.Dir, "--outdir", again, "--seeds=1004", "--steps=2", "--subdirs", "--grid=0", "--threads=1")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	first, _ := os.ReadFile(filepath.Join(out, "001004.png"))
	second, err := os.ReadFile(filepath.Join(again, "001000", "001004.png"))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("seed 1004 alone differs from seed 1004 among others (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(again, "grid.png")); !os.IsNotExist(err) {
		t.Error("--grid=0 writes a grid")
	}
}

// Stochastic settings are in the file, and --class and a snapshot's own path
// work.
func TestSampleOptions(t *testing.T) {
	_, trained := trained(t, true)
	out := t.TempDir()
	code, stdout, stderr := execute("--network", trained.Snapshot, "--outdir", out, "--seeds=0-2", "--steps=2", "--class=2",
		"--S-churn=1", "--S_noise=1.003", "--S_min=0.01", "--S_max=50", "--solver=euler", "--sigma-max=70", "--grid=3")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	if !strings.Contains(stdout, "stochastic (S_churn=1)") {
		t.Errorf("output does not say that sampling is stochastic:\n%s", stdout)
	}
	_, texts := readPNG(t, filepath.Join(out, "000001.png"))
	want := map[string]string{
		"seed": "1", "class": "2", "Software": "edm-sample", "solver": "euler", "steps": "2", "sigma_min": "0.002", "sigma_max": "70",
		"rho": "7", "S_churn": "1", "S_min": "0.01", "S_max": "50", "S_noise": "1.003",
		"nimg": "16", "network_sha256": texts["network_sha256"],
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
	grid, _ := readPNG(t, filepath.Join(out, "grid.png"))
	if w := grid.Bounds().Dx(); w != 3*(8+picture.Gap)+picture.Gap {
		t.Errorf("a grid of 3 columns is %d wide", w)
	}
}

func readPNG(t *testing.T, path string) (image.Image, map[string]string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	list, err := picture.ReadTexts(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	texts := map[string]string{}
	for _, text := range list {
		texts[text.Key] = text.Value
	}
	return img, texts
}

// A fault of the command line has status 2 and names the flag, and nothing is
// written.
func TestUsage(t *testing.T) {
	runs, _ := trained(t, false)
	for _, c := range []struct{ args, want string }{
		{"--seeds 5-3", "--seeds"},
		{"--steps 0", "steps is 0"},
		{"--steps x", "--steps"},
		{"--sigma_min 3 --sigma_max 2", "sigma_min is 3, want less than sigma_max"},
		{"--sigma_min nan", "sigma_min is NaN"},
		{"--rho -1", "rho is -1"},
		{"--S_churn -1", "S_churn is -1"},
		{"--solver rk9", `unknown solver "rk9"`},
		{"--batch 0 --threads -1 --grid -2", "--batch is 0, want at least 1\n--grid is -2, want 0 or more columns\n--threads is -1"},
		{"--class 1", "--class is \"1\", but the network is unconditional"},
		{"--nosuch", "--nosuch"},
		{"seeds", `unexpected argument "seeds"`},
		{"--outdir=", "--outdir is empty"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		args := append([]string{"--runs", runs, "--outdir", out}, strings.Fields(c.args)...)
		code, stdout, stderr := execute(args...)
		if code != cli.ExitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%s: exit status %d, prints %q and %q, want %d and %q", c.args, code, stdout, stderr, cli.ExitUsage, c.want)
		}
		if _, err := os.Stat(out); !os.IsNotExist(err) {
			t.Errorf("%s: the output folder was made", c.args)
		}
	}
}

// What is wrong with files has status 1 and names them.
func TestFailures(t *testing.T) {
	runs, result := trained(t, false)
	snapshot, err := os.ReadFile(result.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := bytes.Clone(snapshot)
	flipped[len(flipped)-9] ^= 1
	states, err := checkpoints.List(result.Dir, checkpoints.State)
	if err != nil {
		t.Fatal(err)
	}
	file := write("file", nil)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--network", filepath.Join(dir, "none")}, "--network"},
		{[]string{"--network", dir}, "train one with edm-train"},
		{[]string{"--runs", dir}, "train one with edm-train"},
		{[]string{"--network", write("short.safetensors", snapshot[:len(snapshot)/2])}, "short.safetensors"},
		{[]string{"--network", write("flipped.safetensors", flipped)}, "flipped.safetensors"},
		{[]string{"--network", states[0].Path}, "edm-state"},
		{[]string{"--runs", runs, "--outdir", file}, "--outdir"},
		{[]string{"--runs", runs, "--outdir", filepath.Join(file, "x")}, "--outdir"},
	} {
		code, stdout, stderr := execute(append([]string{"--outdir", filepath.Join(dir, "out")}, c.args...)...)
		if code != cli.ExitFailure || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%v: exit status %d, prints %q and %q, want %d and %q", c.args, code, stdout, stderr, cli.ExitFailure, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); !os.IsNotExist(err) {
		t.Error("an output folder was made")
	}
}

// A damaged newest snapshot is passed over with a warning.
func TestDamagedSnapshot(t *testing.T) {
	runs, result := trained(t, false)
	bad := filepath.Join(result.Dir, checkpoints.Snapshot.FileName(99))
	if err := os.WriteFile(bad, []byte("nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := execute("--runs", runs, "--outdir", t.TempDir(), "--seeds=0", "--steps=1")
	if code != 0 || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, bad) || !strings.Contains(stdout, result.Snapshot) {
		t.Errorf("exit status %d, prints %q and %q", code, stdout, stderr)
	}
}

// An interrupted run says what it left, and what it left is whole.
func TestInterrupt(t *testing.T) {
	runs, _ := trained(t, false)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := t.TempDir()
	code, _, stderr := executeContext(ctx, "--runs", runs, "--outdir", out, "--steps=1")
	if want := fmt.Sprintf("interrupted: 0 of 64 images are in %s", out); code != cli.ExitFailure || !strings.Contains(stderr, want) {
		t.Errorf("exit status %d, prints %q, want %q", code, stderr, want)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("%d files were left (%v)", len(left), err)
	}
}
