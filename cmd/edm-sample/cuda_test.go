//go:build gpu

package main

import (
	"image"
	_ "image/png"
	"os"
	"path/filepath"
	"testing"

	"edm/internal/testkit/gputest"
)

// The GPU draws the images that the processor draws, but for a level of grey here
// and there: also with guidance by a second network, which has weights of its
// own.
func TestDrawOnTheGPU(t *testing.T) {
	gputest.First(t, "fp32")
	runs, result := trained(t, false)
	for _, more := range [][]string{nil, {"--guidance=1.5", "--guide", result.Snapshot}} {
		var drawn [2]image.Image
		for i, device := range []string{"cpu", "cuda"} {
			outdir := t.TempDir()
			args := append([]string{"--runs", runs, "--outdir", outdir, "--seeds=0-2", "--batch=2", "--steps=3", "--threads=1", "--device", device}, more...)
			if code, _, stderr := execute(args...); code != 0 {
				t.Fatalf("%s: exit status %d: %s", device, code, stderr)
			}
			drawn[i] = decoded(t, filepath.Join(outdir, "grid.png"))
		}
		if n := differences(drawn[0], drawn[1]); n > 0 {
			t.Errorf("%v: %d pixels differ by more than a level", more, n)
		}
	}
}

func decoded(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// differences counts the pixels that differ by more than a level of 8 bits.
func differences(a, b image.Image) int {
	n := 0
	r := a.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			r1, g1, b1, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			for _, d := range []int{int(r1) - int(r2), int(g1) - int(g2), int(b1) - int(b2)} {
				if d > 257 || d < -257 {
					n++
					break
				}
			}
		}
	}
	return n
}
