package augment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"edm/internal/rng"
)

// noise is an image that no transform leaves as it is.
func noise(channels, resolution int) []float32 {
	img := make([]float32, channels*resolution*resolution)
	rng.FillNormal(img, 3, rng.Noise, 1)
	return img
}

func mustNew(t testing.TB, o Options, channels, resolution int) *Pipe {
	t.Helper()
	p, err := New(o, channels, resolution)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustApply(t testing.TB, p *Pipe, img []float32, seed, image uint64) []float32 {
	t.Helper()
	labels := make([]float32, p.Labels())
	if err := p.Apply(img, labels, seed, image); err != nil {
		t.Fatal(err)
	}
	return labels
}

// only returns options of one transform.
func only(p float64, t transform) Options {
	o := Options{P: p}
	*[numTransforms]*float64{
		&o.XFlip, &o.YFlip, &o.RotateInt, &o.TranslateInt,
		&o.Scale, &o.RotateFrac, &o.Aniso, &o.TranslateFrac,
		&o.Brightness, &o.Contrast, &o.LumaFlip, &o.Hue, &o.Saturation,
	}[t] = 1
	return o
}

func every(p float64) Options {
	return Options{p, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
}

func zero(labels []float32) bool {
	return !slices.ContainsFunc(labels, func(v float32) bool { return v != 0 })
}

func TestLabels(t *testing.T) {
	if n := mustNew(t, Published(0.12), 3, 32).Labels(); n != 9 {
		t.Errorf("the published options have %d labels, want 9", n)
	}
	if n := mustNew(t, every(0.5), 3, 32).Labels(); n != 19 {
		t.Errorf("all transforms have %d labels, want 19", n)
	}
	if n := mustNew(t, Options{P: 1}, 7, 32).Labels(); n != 0 {
		t.Errorf("no transforms have %d labels, want 0", n)
	}
	for k := range numTransforms {
		if n := mustNew(t, only(0.5, k), 3, 8).Labels(); n != k.labels() {
			t.Errorf("%v has %d labels, want %d", k, n, k.labels())
		}
	}
}

// Labels of zero promise an image as it was: else its augmentation would leak
// into samples.
func TestZeroLabelsMeanUnchanged(t *testing.T) {
	original := noise(3, 8)
	unchanged, changed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		o := every(rapid.SampledFrom([]float64{0, 0.02, 0.1, 1}).Draw(t, "P"))
		o.XFlip = rapid.SampledFrom([]float64{0, 1, 1e8}).Draw(t, "XFlip")
		o.Contrast = rapid.SampledFrom([]float64{0, 1}).Draw(t, "Contrast")
		p, err := New(o, 3, 8)
		if err != nil {
			t.Fatal(err)
		}
		img, labels := slices.Clone(original), make([]float32, p.Labels())
		seed, image := rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "image")
		if err := p.Apply(img, labels, seed, image); err != nil {
			t.Fatal(err)
		}
		if !zero(labels) {
			changed++
			return
		}
		unchanged++
		if !slices.Equal(img, original) {
			t.Fatalf("labels are zero but the image has changed")
		}
	})
	if unchanged == 0 || changed == 0 {
		t.Errorf("%d unchanged and %d changed images: the test has seen one kind only", unchanged, changed)
	}
}

// Several transforms may undo each other, but one alone changes the image
// whenever its labels are not zero.
func TestEachTransformChangesTheImage(t *testing.T) {
	original := noise(3, 8)
	for k := range numTransforms {
		p := mustNew(t, only(0.5, k), 3, 8)
		for image := range uint64(100) {
			img := slices.Clone(original)
			labels := mustApply(t, p, img, 1, image)
			if zero(labels) != slices.Equal(img, original) {
				t.Fatalf("%v, image %d: labels %v, image unchanged: %v", k, image, labels, slices.Equal(img, original))
			}
		}
	}
}

// A transform does the same to an image whichever others are in use.
func TestDrawsDoNotDependOnOptions(t *testing.T) {
	all := mustNew(t, every(0.5), 3, 8)
	for image := range uint64(20) {
		want := mustApply(t, all, noise(3, 8), 5, image)
		for k := range numTransforms {
			got := mustApply(t, mustNew(t, only(0.5, k), 3, 8), noise(3, 8), 5, image)
			if diff := cmp.Diff(want[:len(got)], got); diff != "" {
				t.Errorf("%v of image %d: %s", k, image, diff)
			}
			want = want[len(got):]
		}
	}
}

// What an image number draws is part of a run's meaning: a change of it breaks
// every resumed run.
func TestDrawsStayAsTheyAre(t *testing.T) {
	d := draw(1, 2)
	got := fmt.Sprintf("%v %v %v %d %.6f %.6f %.6f %.6f", d.xFlip, d.yFlip, d.lumaFlip, d.quarterTurns,
		d.gate[xFlip], d.rotateFrac, d.scale, d.saturation)
	if want := "false false false 2 0.476020 0.858388 1.092347 0.479038"; got != want {
		t.Errorf("image 2 of seed 1 draws %s, want %s", got, want)
	}
	if draw(1, 2) != d || draw(2, 2) == d || draw(1, 3) == d {
		t.Error("draws are not a function of seed and image number")
	}
}

// How often each transform is made, within five standard errors.
func TestProbabilities(t *testing.T) {
	const n = 20000
	for _, o := range []Options{every(0.12), every(1), {P: 0.3, XFlip: 1e8, YFlip: 2, Scale: 0.5, Hue: 1}} {
		p := mustNew(t, o, 3, 8)
		multipliers := o.multipliers()
		var made [numTransforms]int
		for image := range uint64(n) {
			labels := make([]float32, p.Labels())
			d := draw(9, image)
			p.plan(&d, labels)
			for k, m := range multipliers {
				if m == 0 {
					continue
				}
				if !zero(labels[:transform(k).labels()]) {
					made[k]++
				}
				labels = labels[transform(k).labels():]
			}
		}
		for k, m := range multipliers {
			// A coin, a turn or a shift may leave the image as it is: at this
			// size shifts round to -1, 0 or 1, to 0 with probability 1/2.
			want := min(m*o.P, 1)
			switch transform(k) {
			case xFlip, yFlip, lumaFlip:
				want /= 2
			case rotateInt, translateInt:
				want *= 0.75
			}
			got := float64(made[k]) / n
			if math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/n) {
				t.Errorf("%+v: %v is made to %.4f of the images, want %.4f", o, transform(k), got, want)
			}
		}
	}
}

func TestApplyIsDeterministicAndConcurrent(t *testing.T) {
	const images = 64
	p := mustNew(t, every(0.5), 3, 16)
	want := make([][]float32, images)
	for i := range want {
		want[i] = noise(3, 16)
		mustApply(t, p, want[i], 7, uint64(i))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range want {
				img, labels := noise(3, 16), make([]float32, p.Labels())
				if err := p.Apply(img, labels, 7, uint64(i)); err != nil || !slices.Equal(img, want[i]) {
					t.Errorf("image %d differs: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestApplyDoesNotAllocate(t *testing.T) {
	p := mustNew(t, every(1), 3, 16)
	img, labels := noise(3, 16), make([]float32, p.Labels())
	image := uint64(0)
	allocs := testing.AllocsPerRun(50, func() {
		if err := p.Apply(img, labels, 1, image); err != nil {
			t.Error(err)
		}
		image++
	})
	if allocs != 0 {
		t.Errorf("%v allocations an image, want none", allocs)
	}
}

func TestApplyChecksLengths(t *testing.T) {
	p := mustNew(t, Published(1), 3, 8)
	img, labels := noise(3, 8), make([]float32, 9)
	before := slices.Clone(img)
	err := p.Apply(img[1:], labels, 1, 1)
	wantError(t, err, "191 values", "want 192", "3x8x8")
	wantError(t, p.Apply(img, labels[1:], 1, 1), "8 labels", "want 9")
	if !slices.Equal(img, before) || !zero(labels) {
		t.Error("a refused call has changed its arguments")
	}
}

// With P = 0 nothing is done, not even what is always done otherwise.
func TestPublishedAtZero(t *testing.T) {
	p, err := New(Published(0), 3, 8)
	if err != nil {
		t.Fatal(err)
	}
	img, labels := make([]float32, 3*64), make([]float32, p.Labels())
	for i := range img {
		img[i] = float32(i)
	}
	before := slices.Clone(img)
	for i := range uint64(20) {
		if err := p.Apply(img, labels, 1, i); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(img, before) || !slices.Equal(labels, make([]float32, 9)) {
			t.Fatalf("image %d was changed, labels %v", i, labels)
		}
	}
}

func TestNewReportsEveryFault(t *testing.T) {
	o := Options{P: 1.5, XFlip: -1, Scale: math.Inf(1), Hue: math.NaN()}
	_, err := New(o, 0, 1)
	wantError(t, err, "augment: new pipe", "P 1.5", "XFlip -1", "Scale +Inf", "Hue NaN", "0 channels", "resolution 1,")
	_, err = New(Options{P: math.NaN()}, 3, 1<<20)
	wantError(t, err, "P NaN", "resolution 1048576")
	_, err = New(every(0.1), 1, 8)
	wantError(t, err, "Hue for 1 channels", "Saturation for 1 channels", "multiplier of 0")
	if strings.Contains(err.Error(), "Contrast") {
		t.Errorf("%v: contrast suits grey images", err)
	}
	_, err = New(every(0.1), 4, 8)
	wantError(t, err, "Brightness for 4 channels", "LumaFlip for 4 channels")
}

func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not mention %q", err, w)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	pixels := Options{P: 1, XFlip: 1, YFlip: 1, RotateInt: 1}
	warp := only(1, rotateFrac)
	colours := Options{P: 1, Brightness: 1, Hue: 1}
	for _, c := range []struct {
		name string
		o    Options
	}{{"pixels", pixels}, {"colour", colours}, {"rotation", warp}, {"published0.12", Published(0.12)}, {"published1", Published(1)}} {
		b.Run(c.name, func(b *testing.B) {
			p := mustNew(b, c.o, 3, 32)
			img, labels := noise(3, 32), make([]float32, p.Labels())
			image := uint64(0)
			for b.Loop() {
				if err := p.Apply(img, labels, 1, image); err != nil {
					b.Fatal(err)
				}
				image++
			}
		})
	}
}
