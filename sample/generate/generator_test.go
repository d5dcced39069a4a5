package generate

import (
	"context"
	"errors"
	"image"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edm/internal/rng"
	"edm/model"
	"edm/model/precond"
	"edm/sample"
	"edm/unet"
)

// tiny returns a small class-conditional network with weights that are not at
// their start, where the output layer is zero.
func tiny(t *testing.T, classes int) (*model.Model, []float32) {
	t.Helper()
	n := unet.DefaultConfig()
	n.ImgResolution, n.InChannels, n.OutChannels, n.LabelDim = 8, 1, 1, classes
	n.ModelChannels, n.ChannelMult, n.NumBlocks, n.AttnResolutions = 8, []int{1}, 1, nil
	m, err := model.New(model.Config{Network: n, Precond: precond.DefaultEDM()}, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, m.Layout().Size)
	for i, p := range m.Layout().Params {
		view := p.View(weights)
		rng.FillNormal(view, 1, rng.Init, uint64(i))
		for k := range view {
			view[k] *= 0.2
		}
	}
	return m, weights
}

func options(churn float64) sample.Options {
	o := sample.EDM()
	o.NumSteps = 3
	o.Solver = sample.Heun{Alpha: 1, Churn: sample.Churn{Amount: churn, Max: math.Inf(1), Noise: 1}}
	return o
}

// An image is a function of its own seed and class, whatever is drawn beside
// it, in what order, and how many at a time.
func TestGeneratorImagesAreIndependent(t *testing.T) {
	for _, churn := range []float64{0, 2} {
		m, weights := tiny(t, 3)
		seeds, classes := []uint64{5, 0, 9, 1 << 40}, []int{2, 0, -1, 1}
		together := draw(t, m, weights, options(churn), 3, seeds, classes)
		for i := range seeds {
			alone := draw(t, m, weights, options(churn), 1, seeds[i:i+1], classes[i:i+1])
			if diff := cmp.Diff(alone[0], together[i]); diff != "" {
				t.Errorf("churn %v, seed %d: alone and together differ:\n%s", churn, seeds[i], diff)
			}
		}
		other := draw(t, m, weights, options(churn), 1, seeds[:1], []int{1})
		if cmp.Equal(other[0], together[0]) {
			t.Errorf("churn %v: the class changes nothing", churn)
		}
		if cmp.Equal(together[0], together[1]) {
			t.Errorf("churn %v: the seed changes nothing", churn)
		}
	}
}

func draw(t *testing.T, m *model.Model, weights []float32, o sample.Options, batch int, seeds []uint64, classes []int) []image.Image {
	t.Helper()
	steps := 0
	images, err := Images(context.Background(), m, weights, seeds, Options{
		Sampler: o, Batch: batch, Classes: classes, Hook: func(sample.Step) error { steps++; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := o.NumSteps * ((len(seeds) + batch - 1) / batch); steps != want || len(images) != len(seeds) {
		t.Fatalf("%d steps and %d images, want %d and %d", steps, len(images), want, len(seeds))
	}
	return images
}

func TestImagesFaults(t *testing.T) {
	m, weights := tiny(t, 3)
	draw := func(ctx context.Context, weights []float32, o Options) error {
		_, err := Images(ctx, m, weights, []uint64{0}, o)
		return err
	}
	good := Options{Sampler: options(0)}
	if err := draw(t.Context(), weights, good); err != nil {
		t.Fatal(err)
	}
	if err := draw(t.Context(), weights, Options{}); err == nil || !strings.Contains(err.Error(), "Solver is nil") {
		t.Errorf("without sampler: %v", err)
	}
	if err := draw(t.Context(), weights[1:], good); err == nil {
		t.Error("weights of another size made no error")
	}
	for _, classes := range [][]int{{3}, {-2}, {0, 1}} {
		if err := draw(t.Context(), weights, Options{Sampler: options(0), Classes: classes}); err == nil || !strings.Contains(err.Error(), "class") {
			t.Errorf("classes %v: error %v, want one that says so", classes, err)
		}
	}
	if err := draw(t.Context(), weights, Options{Sampler: options(0), Start: make([]float64, 3)}); err == nil || !strings.Contains(err.Error(), "want 64") {
		t.Errorf("an image to start from of another size: %v", err)
	}
	if _, err := Images(t.Context(), m, weights, nil, good); err == nil {
		t.Error("no seeds made no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := draw(ctx, weights, Options{Sampler: options(0), Hook: func(sample.Step) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The denoiser can be wrapped, and classes are drawn from the seeds.
func TestImagesOptions(t *testing.T) {
	m, weights := tiny(t, 3)
	seeds := []uint64{0, 1, 2, 3}
	plain, err := Images(t.Context(), m, weights, seeds, Options{Sampler: options(0)})
	if err != nil {
		t.Fatal(err)
	}
	if same := draw(t, m, weights, options(0), 4, seeds, Classes(seeds, 3)); !cmp.Equal(plain, same) {
		t.Error("without classes the images are not those of Classes")
	}
	known, mask := make([]float64, 64), make([]float64, 64)
	for i := range known {
		known[i], mask[i] = 1, 1
	}
	white, err := Images(t.Context(), m, weights, seeds[:1], Options{
		Sampler:  options(0),
		Denoiser: func(d sample.Denoiser) (sample.Denoiser, error) { return sample.Inpaint(d, known, mask) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := white[0].(*image.Gray); !ok || g.Pix[0] != 255 {
		t.Errorf("all pixels known to be white give %T", white[0])
	}
}
