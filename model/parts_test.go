package model

import (
	"testing"

	"edm/model/precond"
	"edm/unet"
)

// A batch that shrinks image by image, as an adaptive solver's does, compiles no
// more programs than there are powers of two.
func TestShrinkingBatchesSharePrograms(t *testing.T) {
	c := unet.DefaultConfig()
	c.ImgResolution, c.InChannels, c.OutChannels = 8, 1, 1
	c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions = 8, []int{1}, 1, nil
	m, err := New(Config{Network: c, Precond: precond.DefaultEDM()}, Portable())
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Denoiser(make([]float32, m.Layout().Size), 12)
	if err != nil {
		t.Fatal(err)
	}
	dim := m.Config().Dim()
	x, dst := make([]float64, 25*dim), make([]float64, 25*dim)
	for n := 25; n > 0; n-- {
		if err := d.Denoise(t.Context(), dst[:n*dim], x[:n*dim], 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if want := 5; len(m.eval) != want { // 12, 8, 4, 2, 1
		t.Errorf("%d programs, want %d", len(m.eval), want)
	}
}
