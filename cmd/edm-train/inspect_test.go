package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/data"
)

// --inspect reports the data's figures, options and every preset, and makes
// nothing.
func TestInspect(t *testing.T) {
	out := filepath.Join(t.TempDir(), "runs")
	code, stdout, stderr := execute("--inspect", "--data", writeIDX(t, 64, 8, 3), "--outdir", out, "--threads", "1")
	if code != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{
		"64 images of 1x8x8", "classes     3, of 21 to 22 images", "the measured sigma_data", "distance ", "--batch 8 --lr 0.001 --lr-rampup 0.0128",
		"for --loss ncsn", "GFLOP/s", "demo ", "cifar10 ", "imagenet64 ",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Error("an inspection makes a folder")
	}
	code, stdout, _ = execute("--inspect", "--data", writeIDX(t, 64, 6, 0), "--threads", "1")
	if code != 0 || !strings.Contains(stdout, "demo is not for this data: unet: img_resolution 6 is not divisible by 4") {
		t.Errorf("images of 6 pixels: exit status %d\n%s", code, stdout)
	}
}

// The suggestions for the published datasets are the published settings.
func TestSuggestions(t *testing.T) {
	for _, c := range []struct {
		report data.Report
		want   suggestion
	}{
		{
			data.Report{Images: 50_000, Shape: data.Shape{Channels: 3, Height: 32, Width: 32}, SigmaData: 0.5, MaxDistance: data.Extent{Upper: 100}},
			suggestion{sigmaData: 0.5, sigmaMax: 100, lr: 1e-3, rampup: 10, batch: 512, scales: 238},
		}, {
			data.Report{Images: 70_000, Shape: data.Shape{Channels: 3, Height: 64, Width: 64}, SigmaData: 0.5, MaxDistance: data.Extent{Upper: 0}},
			suggestion{sigmaData: 0.5, lr: 2e-4, rampup: 10, batch: 256},
		}, {
			data.Report{Images: 1000, Shape: data.Shape{Channels: 1, Height: 8, Width: 8}, SigmaData: 0.7, MaxDistance: data.Extent{Upper: 8}},
			suggestion{sigmaData: 0.7, sigmaMax: 8, lr: 1e-3, rampup: 0.2, batch: 16, scales: 23},
		},
	} {
		if diff := cmp.Diff(c.want, suggest(c.report), cmp.AllowUnexported(suggestion{})); diff != "" {
			t.Errorf("%d images: %s", c.report.Images, diff)
		}
	}
}

func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{1.5: "1.5 seconds", 300: "5 minutes", 7200: "2 hours", 864000: "10 days", 365 * 86400 * 3: "3 years"} {
		if got := span(seconds); got != want {
			t.Errorf("%v s is %q, want %q", seconds, got, want)
		}
	}
}
