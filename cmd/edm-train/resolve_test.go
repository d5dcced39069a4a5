package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/checkpoints"
	"edm/internal/cli"
	"edm/train"
)

// Preset, file, data and flags, each over the one before.
func TestLayers(t *testing.T) {
	images := writeIDX(t, 64, 8, 3)
	file := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), []byte("batch: 24\nmicro: 8\nlr: 0.5\nattn_resolutions: [4]\n"))
	got, err := resolve(t, "--preset", "small", "--config", file, "--data", images, "--cond", "--lr", "0.25", "--channel_mult=1,1", "--cbase", "16")
	if err != nil {
		t.Fatal(err)
	}
	want, err := train.Preset("small")
	if err != nil {
		t.Fatal(err)
	}
	want.Batch, want.Micro, want.AttnResolutions = 24, 8, []int{4} // file
	want.Resolution, want.Channels, want.Classes = 8, 1, 3         // data
	want.Validation = 64 / 20                                      // data
	want.Data, want.Cond, want.LR = images, true, 0.25             // flags
	want.ChannelMult, want.ModelChannels = []int{1, 1}, 16         // flags
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A flag with the zero value is a value, not a flag left out.
func TestZeroFlags(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), []byte("xflip: true\ndropout: 0.5\nseed: 3\n"))
	c, err := resolve(t, "--config", file, "--xflip=false", "--dropout=0", "--seed=0", "--attn-resolutions=", "--validation=0")
	if err != nil {
		t.Fatal(err)
	}
	if c.XFlip || c.Dropout != 0 || c.Seed != 0 || len(c.AttnResolutions) != 0 || c.Validation != 0 {
		t.Errorf("flags of value zero are lost: %+v", c)
	}
}

// A file may name its preset; the flag wins.
func TestPresetInFile(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), []byte("preset: small\nbatch: 16\n"))
	c, err := resolve(t, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Preset != "small" || c.ModelChannels != 64 || c.Batch != 16 {
		t.Errorf("preset %s, %d channels, batch %d; want small, 64 and 16", c.Preset, c.ModelChannels, c.Batch)
	}
	if c, err = resolve(t, "--config", file, "--preset", "demo"); err != nil {
		t.Fatal(err)
	}
	if c.Preset != "demo" || c.ModelChannels != 32 || c.Batch != 16 {
		t.Errorf("preset %s, %d channels, batch %d; want demo, 32 and 16", c.Preset, c.ModelChannels, c.Batch)
	}
}

// Another preconditioning brings its own objective and constants, from a flag
// or a file; what is given besides goes over them.
func TestPrecondAndLoss(t *testing.T) {
	saved := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), []byte("precond: vp\nprecond_params: {M: 500}\nloss: vp\nloss_params: {epsilon_t: 1e-4}\n"))
	for _, c := range []struct {
		args          string
		precond, loss string
		constants     map[string]float64 // of precond, then of loss
		lossConstants map[string]float64
	}{
		{"", "edm", "edm", nil, nil},
		{"--precond vp", "vp", "vp", map[string]float64{"M": 1000, "beta_d": 19.9}, map[string]float64{"epsilon_t": 1e-5}},
		{"--precond iddpm", "iddpm", "ddpm-cosine", map[string]float64{"M": 1000}, map[string]float64{"M": 1000}},
		{"--precond ve --loss edm --precond-params sigma_max=50", "ve", "edm", map[string]float64{"sigma_min": 0.02, "sigma_max": 50}, nil},
		{"--loss ddpm-linear --loss-params T=100", "edm", "ddpm-linear", nil, map[string]float64{"T": 100, "beta_T": 0.02}},
		{"--loss ncsn --loss-params sigma_max=70,scales=9", "edm", "ncsn", nil, map[string]float64{"sigma_max": 70, "scales": 9}},
		{"--config " + saved, "vp", "vp", map[string]float64{"M": 500}, map[string]float64{"epsilon_t": 1e-4}},
		{"--config " + saved + " --precond-params beta_min=0.2", "vp", "vp", map[string]float64{"M": 500, "beta_min": 0.2}, map[string]float64{"epsilon_t": 1e-4}},
		{"--config " + saved + " --precond ve", "ve", "ve", map[string]float64{"sigma_max": 100}, map[string]float64{"sigma_max": 100}},
		{"--config " + saved + " --loss edm", "vp", "edm", map[string]float64{"M": 500}, nil},
	} {
		got, err := resolve(t, strings.Fields(c.args)...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if got.Precond != c.precond || got.Loss != c.loss {
			t.Errorf("%s: precond %s, loss %s; want %s and %s", c.args, got.Precond, got.Loss, c.precond, c.loss)
		}
		for name, v := range c.constants {
			if got.PrecondParams[name] != v {
				t.Errorf("%s: precond %s is %v, want %v", c.args, name, got.PrecondParams[name], v)
			}
		}
		for name, v := range c.lossConstants {
			if got.LossParams[name] != v {
				t.Errorf("%s: loss %s is %v, want %v", c.args, name, got.LossParams[name], v)
			}
		}
	}
}

// NCSN's largest scale is measured where it is not given.
func TestMeasuredDistance(t *testing.T) {
	c, err := resolve(t, "--data", writeIDX(t, 64, 8, 3), "--loss", "ncsn")
	if err != nil {
		t.Fatal(err)
	}
	if d := c.LossParams["sigma_max"]; !(d > 1 && d < 16) || c.LossParams["scales"] < 2 { // 64 pixels differ by at most 2
		t.Errorf("constants %v", c.LossParams)
	}
}

// What a run saves gives the same run again, whatever it was resolved from.
func TestSavedConfigRepeats(t *testing.T) {
	images := writeIDX(t, 64, 6, 3)
	for _, args := range [][]string{
		{},
		{"--data", images, "--cond", "--resolution", "8", "--channels", "3", "--attn-resolutions=", "--validation", "40"},
		{"--preset", "small", "--seed", "7", "--p-mean", "-0.5"},
		{"--precond", "iddpm", "--arch", "ncsnpp", "--augment", "0.2"},
		{"--data", images, "--resolution", "8", "--loss", "ncsn"},
	} {
		first, err := resolve(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		text, err := first.YAML()
		if err != nil {
			t.Fatal(err)
		}
		second, err := resolve(t, "--config", writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%v:\n%s", args, diff)
		}
	}
}

// On resume the saved configuration is the base, and only what is given goes
// over it: neither the default preset nor the data's limits.
func TestResumeLayers(t *testing.T) {
	images, out := writeIDX(t, 64, 8, 0), t.TempDir()
	saved, err := resolve(t, "--data", images, "--preset", "small", "--attn-resolutions=", "--validation", "30", "--seed", "9")
	if err != nil {
		t.Fatal(err)
	}
	dir := saveRun(t, out, saved)
	got, err := resolve(t, "--resume", dir, "--duration", "5")
	if err != nil {
		t.Fatal(err)
	}
	want := saved
	want.Duration = 5
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("--resume with --duration:\n%s", diff)
	}
	r := parse(t, "--resume", "latest", "--outdir", out)
	if _, _, err := r.resolve(context.Background()); err != nil || r.resume != dir {
		t.Errorf("--resume latest is %s (%v), want %s", r.resume, err, dir)
	}
	file := writeFile(t, filepath.Join(out, "c.yaml"), []byte("tick: 77\n"))
	if got, err = resolve(t, "--resume", dir, "--preset", "cifar10", "--config", file); err != nil {
		t.Fatal(err)
	}
	if got.Preset != "cifar10" || got.Batch != 512 || got.Tick != 77 || got.Seed != 9 || got.Data != images || got.Resolution != 8 {
		t.Errorf("an explicit preset and file on resume give %+v", got)
	}
}

// saveRun makes a run folder with a configuration and a file named as a state.
func saveRun(t *testing.T, outdir string, c train.Config) string {
	t.Helper()
	dir, err := checkpoints.NewRun(outdir, "test")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, train.ConfigFile), text)
	writeFile(t, filepath.Join(dir, checkpoints.State.FileName(0)), nil)
	return dir
}

// Each fault has the right status, names the flag, file or key, and leaves
// nothing behind.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	labelled, plain := writeIDX(t, 64, 8, 3), writeIDX(t, 64, 8, 0)
	config := func(text string) string {
		return writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), []byte(text))
	}
	empty := t.TempDir()
	notPickle := writeFile(t, filepath.Join(dir, "net.pkl"), []byte("no pickle"))
	truncated := filepath.Join(dir, "train-images-idx3-ubyte")
	text, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, truncated, text[:len(text)-1])
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--batch", "x"}, 2, "--batch"},
		{[]string{"--channel-mult", "1,x"}, 2, "--channel-mult"},
		{[]string{"--nosuch"}, 2, "--nosuch"},
		{[]string{"demo"}, 2, `unexpected argument "demo"`},
		{[]string{"--preset", "huge"}, 2, "--preset"},
		{[]string{"--batch=0", "--threads=-1"}, 2, "--threads is -1"},
		{[]string{"--batch=-4"}, 2, "batch is -4"},
		{[]string{"--batch=32", "--micro=5"}, 2, "micro is 5, want a divisor of batch (32)"},
		{[]string{"--lr=-1"}, 2, "lr is -1"},
		{[]string{"--lr=nan", "--duration=nan", "--beta1=2"}, 2, "lr is NaN"},
		{[]string{"--ema=inf"}, 2, "ema is +Inf"},
		{[]string{"--p-std=-1"}, 2, "P_std is -1"},
		{[]string{"--precond=none"}, 2, `"none"`},
		{[]string{"--arch=none"}, 2, `"none"`},
		{[]string{"--loss=none"}, 2, `"none"`},
		{[]string{"--precond-params=M"}, 2, "--precond-params"},
		{[]string{"--precond-params=M=5"}, 2, `unknown constant "M"`},
		{[]string{"--precond=ve", "--loss-params=sigma_max=0.01"}, 2, "sigma_max is 0.01"},
		{[]string{"--augment=2"}, 2, "augment is 2"},
		{[]string{"--inspect", "--dry-run"}, 2, "two reports"},
		{[]string{"--inspect", "--data", filepath.Join(dir, "none")}, 1, "--data"},
		{[]string{"--cond", "--data", plain}, 2, "--cond needs labels"},
		{[]string{"--data", plain, "--validation=64"}, 2, "--validation holds out 64 of the 64 images"},
		{[]string{"--data", plain, "--channel-mult=1,1,1,1,1"}, 2, "16"},
		{[]string{"--config", config("batch: 4\nlrr: 3\n")}, 2, "c.yaml: train: configuration: [2:1] unknown field \"lrr\""},
		{[]string{"--config", config("batch: many\n")}, 2, "[1:8]"},
		{[]string{"--config", config("channels: 1\n"), "--channels=2"}, 2, "--channels is 2"},
		{[]string{"--config", config("cond: true\nclasses: 5\n"), "--data", labelled}, 2, "classes is 5"},
		{[]string{"--config", filepath.Join(dir, "none.yaml")}, 1, "none.yaml"},
		{[]string{"--resume="}, 2, "--resume is empty"},
		{[]string{"--resume=latest", "--transfer=x", "--desc=y"}, 2, "--transfer starts a new run"},
		{[]string{"--resume=latest"}, 1, "--resume latest"},
		{[]string{"--resume", filepath.Join(dir, "none")}, 1, "--resume"},
		{[]string{"--transfer", filepath.Join(dir, "none")}, 1, "--transfer"},
		{[]string{"--transfer", empty}, 1, "--transfer"},
		{[]string{"--transfer", notPickle}, 1, notPickle},
		{[]string{"--dry-run", "--transfer", filepath.Join(dir, "none")}, 1, "--transfer"},
		{[]string{"--dry-run", "--transfer", notPickle}, 1, notPickle},
		{[]string{"--loss=vp", "--p-mean=1", "--sigma-data=0.5"}, 2, "--p-mean has no effect with --precond edm and --loss vp"},
		{[]string{"--precond=ve", "--sigma-data=0.3"}, 2, "--sigma-data has no effect with --precond ve and --loss ve"},
		{[]string{"--data", filepath.Join(dir, "none")}, 1, "--data"},
		{[]string{"--data", empty}, 1, "the folder is empty"},
		{[]string{"--data", truncated}, 1, truncated},
	} {
		out := filepath.Join(t.TempDir(), "runs")
		code, stdout, stderr := execute(append([]string{"--outdir", out}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%v: exit status %d, prints %q and %q, want %d and %q", c.args, code, stdout, stderr, c.code, c.want)
		}
		if (code == cli.ExitUsage) != strings.Contains(stderr, "edm-train --help") {
			t.Errorf("%v: prints %q, want a hint at --help for faults of usage only", c.args, stderr)
		}
		if _, err := os.Stat(out); !os.IsNotExist(err) {
			t.Errorf("%v: a folder of runs was made", c.args)
		}
	}
}
