//go:build gpu

package cuda

import (
	"math"
	"testing"
)

// The loops of the peaks do all of their work: the sums are the exact ones, and
// the copy is whole. Every peak is a number; on an emulated device it says nothing.
func TestPeaks(t *testing.T) {
	const turns, blocks = 5, 2
	b := newTable(t)
	for precision, want := range []float32{
		fp32: 16 * (1 - 1.0/(1<<turns)),
		tf32: 4 * 8 * turns * 8 / 4,
		bf16: 4 * 8 * turns * 16 / 4,
	} {
		y := b.unwritten(t, blocks*peakThreads, 0)
		b.start(t, []launch{peakLaunch(peakLoops[precision].kernel, blocks, y, int32(turns), float32(0.5))})
		for i, got := range b.read(t, y, blocks*peakThreads) {
			if got != want {
				t.Fatalf("%s: thread %d has %v, want %v", peakLoops[precision].kernel, i, got, want)
			}
		}
	}
	x := make([]float32, 5*4*blocks*peakThreads+7) // a whole turn and a part
	for i := range x {
		x[i] = float32(i)
	}
	from, to := b.floats(t, x, 0), b.unwritten(t, len(x), 0)
	b.start(t, []launch{peakLaunch("peak_copy", blocks, from, to, int64(len(x)))})
	for i, got := range b.read(t, to, len(x)) {
		if got != x[i] {
			t.Fatalf("copy: element %d is %v, want %v", i, got, x[i])
		}
	}
	p, err := backend(t, bf16).Peaks()
	must(t, err)
	if p.Product != p.Products[BF16] || len(p.Products) != len(Precisions()) {
		t.Errorf("%+v, want a peak for each precision, the backend's too", p)
	}
	for _, v := range []float64{p.Products[FP32], p.Products[TF32], p.Products[BF16], p.Copy} {
		if !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%+v: not finite, or not above 0", p)
		}
	}
}
