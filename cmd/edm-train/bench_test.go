package main

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"edm/train"
	"edm/unet"
)

// bench runs --bench with timings of a step each and returns what it printed.
func bench(t *testing.T, args ...string) string {
	t.Helper()
	r := parse(t, append([]string{"--bench"}, args...)...)
	r.benchTime = 0
	var out, errs bytes.Buffer
	if err := r.run(context.Background(), &out, &errs); err != nil || errs.Len() > 0 {
		t.Fatalf("error %v, said %q", err, errs.String())
	}
	return out.String()
}

func TestBench(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	text := bench(t, "--preset=small", "--device=cpu", "--batch=3", "--threads=1", "--resolution=8", "--channels=1",
		"--model-channels=8", "--channel-mult=1,2", "--num-blocks=1", "--attn-resolutions=4", "--recompute=8", "--recompute-light")
	var got figures
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || dec.More() || strings.Count(text, "\n") != 1 {
		t.Fatalf("error %v in %q, want one object on a line", err, text)
	}
	if got.Preset != "small" || got.Batch != 3 || got.Threads != 1 || got.Resolution != 8 || got.Channels != 1 {
		t.Errorf("measured %+v, want what was asked for", got)
	}
	for name, v := range map[string]float64{
		"train_img_per_s": got.TrainImgPerS, "forward_img_per_s": got.ForwardImgPerS, "gflops": got.GFLOPS,
		"forward_gflops": got.ForwardGFLOPS, "fma_peak_gflops": got.FMAPeak,
		"train_share_of_peak": got.TrainShare, "forward_share_of_peak": got.ForwardShare,
		"train_arena_mb": got.TrainArenaMiB, "parameters": float64(got.Parameters),
	} {
		if !(v > 0) || !strings.Contains(text, `"`+name+`":`) {
			t.Errorf("%s is %g, want a figure: %s", name, v, text)
		}
	}
	if len(got.TrainRounds) != benchRounds || !slices.Contains(got.TrainRounds, got.TrainImgPerS) {
		t.Errorf("training rounds %v with median %g, want %d", got.TrainRounds, got.TrainImgPerS, benchRounds)
	}
	if runtime.GOOS == "linux" && (got.PeakRSSMiB == nil || *got.PeakRSSMiB < got.TrainArenaMiB) {
		t.Errorf("peak_rss_mb %v with an arena of %g MiB", got.PeakRSSMiB, got.TrainArenaMiB)
	}
	if !strings.Contains(text, `"peak_rss_mb":`) {
		t.Errorf("no peak_rss_mb in %s", text)
	}
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("GOMAXPROCS is %d afterwards, was %d", n, before)
	}
}

// Every preset can be measured without data, at its own size.
func TestBenchConfigs(t *testing.T) {
	for _, name := range unet.PresetNames() {
		c, err := parse(t, "--bench", "--preset", name).benchConfig()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := c.Model()
		if err != nil || c.Validate() != nil {
			t.Errorf("%s: %v, %v", name, err, c.Validate())
		}
		want, err := unet.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Network; got.ImgResolution != want.ImgResolution || got.InChannels != want.InChannels ||
			got.ModelChannels != want.ModelChannels || got.LabelDim != 0 || got.AugmentDim != 0 || got.Dropout != want.Dropout {
			t.Errorf("%s: network %+v, want %+v without labels", name, got, want)
		}
		if preset, err := train.Preset(name); err != nil || c.Batch != preset.Micro || c.Micro != preset.Micro {
			t.Errorf("%s: batch %d, want the preset's microbatch (error %v)", name, c.Batch, err)
		}
	}
}

func TestBenchFaults(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--lr=1"}, "--lr has no effect with --bench"},
		{[]string{"--data=demo"}, "--data has no effect"},
		{[]string{"--resume=latest"}, "--resume has no effect"},
		{[]string{"--dry-run"}, "--dry-run has no effect"},
		{[]string{"--inspect", "--micro=2"}, "--micro has no effect"},
		{[]string{"--config=x.yaml"}, "it takes --preset, --batch"},
		{[]string{"--batch=0"}, "--batch is 0"},
		{[]string{"--preset=huge"}, `unknown preset "huge"`},
		{[]string{"--arch=mlp"}, "mlp"},
		{[]string{"--recompute=7"}, "recompute is [7]"},
		{[]string{"--threads=-1"}, "--threads is -1"},
		{[]string{"--threads=1025"}, "--threads is 1025, want 0 to 1024"},
	} {
		code, stdout, stderr := execute(append([]string{"--bench"}, c.args...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit status %d, %q, %q; want 2 and %q", c.args, code, stdout, stderr, c.want)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	var out bytes.Buffer
	if err := parse(t, "--bench").run(stopped, &out, &out); err == nil || out.Len() > 0 {
		t.Errorf("cancelled: error %v, %q", err, out.String())
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]float64{
		0: 0, 1.23456: 1.235, 123456: 123500, 0.00012345678: 0.0001235, 12346: 12350, 0.1: 0.1, 999.96: 1000, 447.53: 447.5,
	} {
		if got := digits(v); got != want {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
	if memory(0) != nil || *memory(1234.56) != 1235 {
		t.Errorf("memory: %v, %v", memory(0), *memory(1234.56))
	}
}
