package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"edm/internal/picture"
	"edm/internal/testkit/reference"
	"edm/sample"
	"edm/sample/generate"
)

// A comparison writes its table, picture and plots; what a budget is too small
// for is noted.
func TestCompare(t *testing.T) {
	_, trained := trained(t, true)
	out := t.TempDir()
	code, stdout, stderr := execute("--network", trained.Snapshot, "--outdir", out, "--seeds=0-2", "--reference_steps=20", "--budgets=3,6",
		"--tolerances=0.5", "--compare", "heun:alpha=0.5 euler,disc=vp", "--compare=ddpm;annealed-langevin,adaptive-ode")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{"| heun:alpha=0.5 ", "needs at least", "rtol 0.5", "stochastic samplers have no solution"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	for want, times := range map[string]int{ // one reference for EDM's range, one for VP's
		"reference of 20 steps from sigma 80 to 0.002\n": 1, "its accuracy, from 10 steps\n": 2, "errors of single steps\n": 1,
	} {
		if n := strings.Count(stderr, want); n != times {
			t.Errorf("the side has %q %d times, want %d:\n%s", want, n, times, stderr)
		}
	}
	file, err := os.Open(filepath.Join(out, "compare.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) < 1+2+9 {
		t.Fatalf("%d rows (%v)", len(rows), err)
	}
	for _, row := range rows[1:] {
		if nfe, err := strconv.Atoi(row[3]); row[3] != "" && (err != nil || nfe < 1) {
			t.Errorf("row %q", row)
		}
	}
	for _, name := range []string{"compare.png", "error.png", "truncation.png"} {
		if img, _ := readPNG(t, filepath.Join(out, name)); img.Bounds().Dx() < 200 {
			t.Errorf("%s is %v", name, img.Bounds())
		}
	}
	_, texts := readPNG(t, filepath.Join(out, "compare.png"))
	if texts["seeds"] != "0-2" || len(texts["network_sha256"]) != 64 || texts["solver"] != "" {
		t.Errorf("texts %v", texts)
	}
	for _, name := range []string{"error.svg", "truncation.svg", "compare.md"} {
		if text, err := os.ReadFile(filepath.Join(out, name)); err != nil || len(text) < 300 {
			t.Errorf("%s has %d bytes (%v)", name, len(text), err)
		}
	}
}

// The way of an image ends in the image that is drawn, held longest; adaptive
// solvers and scaled states have one too.
func TestTrajectory(t *testing.T) {
	_, trained := trained(t, true)
	dir := t.TempDir()
	if code, _, stderr := execute("--network", trained.Snapshot, "--outdir", dir, "--seeds=5", "--steps=4"); code != 0 {
		t.Fatal(stderr)
	}
	want, _ := readPNG(t, filepath.Join(dir, "000005.png"))
	path := filepath.Join(dir, "ways", "way.gif")
	code, stdout, stderr := execute("--network", trained.Snapshot, "--trajectory", path, "--seeds=5,6", "--steps=4")
	if code != 0 || !strings.Contains(stdout, "trajectory of seed 5 in 5 frames") {
		t.Fatalf("exit status %d, prints %q and %q", code, stdout, stderr)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(bytes.NewReader(file))
	if err != nil || len(g.Image) != 5 {
		t.Fatalf("%d frames (%v)", len(g.Image), err)
	}
	if g.Delay[4] != 200 || g.Delay[0] != 40 {
		t.Errorf("delays %v", g.Delay)
	}
	const factor = 16 // 8 pixels to 128
	last := g.Image[4]
	for y := range 8 {
		for x := range 8 {
			at := image.Pt((x+picture.Gap)*factor+3, (y+picture.Gap)*factor+3)
			if got := color.GrayModel.Convert(last.At(at.X, at.Y)); got != want.At(x, y) {
				t.Fatalf("pixel %d,%d of the last frame is %v, want %v", x, y, got, want.At(x, y))
			}
		}
	}
	for _, args := range [][]string{
		{"--solver=adaptive-ode", "--rtol=0.3", "--atol=0.3"}, {"--schedule=vp", "--scaling=vp", "--steps=3"}, {"--solver=ddpm", "--steps=300"},
	} {
		still := filepath.Join(dir, "way.png")
		if code, _, stderr := execute(append(args, "--network", trained.Snapshot, "--trajectory", still, "--seeds=5")...); code != 0 {
			t.Fatalf("%v: exit status %d: %s", args, code, stderr)
		}
		if _, texts := readPNG(t, still); texts["seed"] != "5" || texts["class"] == "" {
			t.Errorf("%v: texts %v", args, texts)
		}
		if frames, _ := os.ReadFile(still); bytes.Count(frames, []byte("fcTL")) > maxFrames+1 || !bytes.Contains(frames, []byte("acTL")) {
			t.Errorf("%v: %d frames", args, bytes.Count(frames, []byte("fcTL")))
		}
	}
}

// What is shown of a scaled state is the noisy image itself.
func TestFilmUnscales(t *testing.T) {
	states := [][]float64{{1, -0.5, 0.25, 0}, {0.5, -0.25, 0.125, 0}}
	var shown [2][]float64
	for k, x := range states {
		f := film{source: generate.Source{Channels: 1, Height: 2, Width: 2}}
		if err := f.begin(0, 80); err != nil {
			t.Fatal(err)
		}
		if err := f.step(sample.Step{X: x, Denoised: x, SigmaNext: 2, Scale: 1 / float64(k+1)}); err != nil {
			t.Fatal(err)
		}
		shown[k] = f.noisy
	}
	if !slices.Equal(shown[0], shown[1]) || math.Abs(shown[0][0]-1/math.Sqrt(5)) > 1e-12 {
		t.Errorf("shown %v without and %v with a scale", shown[0], shown[1])
	}
}

func TestToy(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"1d", "2d"} {
		if code, _, stderr := execute("--toy", kind, "--outdir", dir); code != 0 {
			t.Fatalf("exit status %d: %s", code, stderr)
		}
		path := filepath.Join(dir, "toy-"+kind+".png")
		if img, _ := readPNG(t, path); img.Bounds().Dx() < 700 {
			t.Errorf("toy %s is %v", kind, img.Bounds())
		}
		if st, err := os.Stat(path); err != nil || st.Size() > 150<<10 {
			t.Errorf("toy %s has %d bytes, more than docs should hold (%v)", kind, st.Size(), err)
		}
	}
}

// A published network's pickle is converted once and drawn from.
func TestPickle(t *testing.T) {
	packed, err := os.Open(filepath.Join(reference.Root(t), "internal", "netpkl", "testdata", "network-snapshot-ddpmpp-cond.pkl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "network.pkl")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		code, stdout, stderr := execute("--network", path, "--outdir", t.TempDir(), "--seeds=0", "--steps=2")
		if code != 0 || !strings.Contains(stderr, "CC BY-NC-SA 4.0") || !strings.Contains(stderr, "network.safetensors") || !strings.Contains(stdout, "1 images") {
			t.Errorf("exit status %d, prints %q and %q", code, stdout, stderr)
		}
	}
	if err := os.WriteFile(path, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := execute("--network", path); code != 1 || stdout != "" || !strings.Contains(stderr, "--network: netpkl: ") {
		t.Errorf("a truncated pickle: exit status %d, prints %q and %q", code, stdout, stderr)
	}
}

// writeGrey writes a grey PNG file.
func writeGrey(t *testing.T, size int, at func(x, y int) uint8) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, size, size))
	for i := range img.Pix {
		img.Pix[i] = at(i%size, i/size)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.png")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Little noise leaves the image nearly as it is, much does not.
func TestEdit(t *testing.T) {
	_, trained := trained(t, true)
	source := writeGrey(t, 8, func(x, y int) uint8 { return uint8(30*x + 5*y) })
	worst := func(strength string) int {
		out := t.TempDir()
		code, _, stderr := execute("--network", trained.Snapshot, "--outdir", out, "--seeds=3", "--steps=4", "--edit", source, "--strength", strength)
		if code != 0 {
			t.Fatalf("exit status %d: %s", code, stderr)
		}
		img, texts := readPNG(t, filepath.Join(out, "000003.png"))
		if texts["edit"] != "image.png" || texts["sigma_max"] != strength {
			t.Errorf("texts %v", texts)
		}
		most := 0
		for i := range 64 {
			d := int(img.At(i%8, i/8).(color.Gray).Y) - int(30*(i%8)+5*(i/8))
			most = max(most, d, -d)
		}
		return most
	}
	if d := worst("0.01"); d > 6 {
		t.Errorf("noise of 0.01 changes a pixel by %d levels", d)
	}
	if d := worst("60"); d < 20 {
		t.Errorf("noise of 60 changes no pixel by more than %d levels", d)
	}
	if code, _, stderr := execute("--network", trained.Snapshot, "--edit", filepath.Join(t.TempDir(), "none.png"), "--strength=1"); code != 1 || !strings.Contains(stderr, "--edit: ") {
		t.Errorf("no image: exit status %d, prints %q", code, stderr)
	}
	if code, _, stderr := execute("--network", trained.Snapshot, "--edit", trained.Snapshot, "--strength=1"); code != 1 || !strings.Contains(stderr, "want a PNG or JPEG") {
		t.Errorf("no image: exit status %d, prints %q", code, stderr)
	}
	if code, _, stderr := execute("--network", trained.Snapshot, "--edit", source, "--strength=0.001"); code != 2 || !strings.Contains(stderr, "--strength: sigma_min is 0.002") {
		t.Errorf("strength below sigma_min: exit status %d, prints %q", code, stderr)
	}
}

// Black parts of the mask keep the image's pixels, white ones do not. A larger
// image is scaled.
func TestInpaint(t *testing.T) {
	_, trained := trained(t, true)
	source := writeGrey(t, 16, func(x, y int) uint8 { return uint8(28 * (y / 2)) })
	mask := writeGrey(t, 8, func(x, y int) uint8 { return uint8(x / 4 * 255) })
	out := t.TempDir()
	code, _, stderr := execute("--network", trained.Snapshot, "--outdir", out, "--seeds=3", "--steps=4", "--inpaint", source, "--mask", mask)
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	img, texts := readPNG(t, filepath.Join(out, "000003.png"))
	if texts["inpaint"] != "image.png" {
		t.Errorf("texts %v", texts)
	}
	changed := 0
	for y := range 8 {
		for x := range 8 {
			d := int(img.At(x, y).(color.Gray).Y) - 28*y
			if x < 4 && (d < -3 || d > 3) { // what scaling from 16 to 8 rings
				t.Errorf("kept pixel %d,%d is off by %d", x, y, d)
			}
			if x >= 4 && (d < -8 || d > 8) {
				changed++
			}
		}
	}
	if changed < 8 {
		t.Errorf("only %d of 32 pixels were drawn anew", changed)
	}
}
