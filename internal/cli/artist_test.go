package cli

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
func TestArtistImagesAreIndependent(t *testing.T) {
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
	a, err := NewArtist(m, weights, o, batch)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	images, err := a.Draw(context.Background(), seeds, classes, func() { steps++ })
	if err != nil {
		t.Fatal(err)
	}
	if steps != o.NumSteps || len(images) != len(seeds) {
		t.Fatalf("%d steps and %d images, want %d and %d", steps, len(images), o.NumSteps, len(seeds))
	}
	return images
}

func TestArtistFaults(t *testing.T) {
	m, weights := tiny(t, 3)
	if _, err := NewArtist(m, weights, sample.Options{}, 1); err == nil {
		t.Error("impossible options made no error")
	}
	if _, err := NewArtist(m, weights[1:], options(0), 1); err == nil {
		t.Error("weights of another size made no error")
	}
	a, err := NewArtist(m, weights, options(0), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, classes := range [][]int{nil, {3}, {-2}, {0, 1}} {
		if _, err := a.Draw(context.Background(), []uint64{0}, classes, nil); err == nil || !strings.Contains(err.Error(), "class") {
			t.Errorf("classes %v: error %v, want one that says so", classes, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = a.Draw(ctx, []uint64{0}, []int{0}, cancel)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled drawing returns %v", err)
	}
}
