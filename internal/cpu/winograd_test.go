package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// relativeRMS returns the root mean square of the error over that of want.
func relativeRMS(t *testing.T, got []float32, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	var errors, squares float64
	for i, v := range want {
		d := float64(got[i]) - v
		errors += d * d
		squares += v * v
	}
	return math.Sqrt(errors / squares)
}

// winogradProblems are the three products, by F(4x4,3x3) whatever is faster.
func winogradProblems(b *Backend, x, g, w []float32, n, cin, cout, h, width int) map[string]func() []float32 {
	run := func(c convolver, out, in int, data []float32) func() []float32 {
		y, work := make([]float32, n*out*h*width), poison(c.workspace())
		return func() []float32 {
			c.run(y, data, w, work, 0)
			return y
		}
	}
	forward := convShape{n: n, depth: cin, width: cout, h: h, w: width, kernel: 3}
	back := forward
	back.depth, back.width = cout, cin
	weights := func(c weightsConvolver) func() []float32 {
		dw, work := make([]float32, len(w)), poison(c.workspace())
		return func() []float32 {
			c.run(dw, x, g, work)
			return dw
		}
	}
	return map[string]func() []float32{
		"forward":        run(newWinogradConv(b, forward, false, nil), cout, cin, x),
		"data":           run(newWinogradConv(b, back, true, nil), cin, cout, g),
		"weights":        weights(newWinogradWeights(b, n, cin, cout, h, width, 1)),
		"deep weights":   weights(newWinogradDeepWeights(b, n, cin, cout, h, width, 1)),
		"chosen weights": weights(chooseWinogradWeights(b, n, cin, cout, h, width, 1)),
	}
}

// poison returns n times not-a-number: what a kernel reads before it writes it
// shows.
func poison(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return x
}

// exactConvs are the same products by definition in float64.
func exactConvs(t *testing.T, x, g, w []float32, n, cin, cout, h, width int) map[string][]float64 {
	in, out, filter := tensor.Shape{n, cin, h, width}, tensor.Shape{n, cout, h, width}, tensor.Shape{cout, cin, 3, 3}
	exact := func(s op.Spec, shape tensor.Shape, in []tensor.Shape, values ...[]float32) []float64 {
		p := optest.Problem{Call: engine.Call{Spec: s, In: in, Out: shape}}
		for _, v := range values {
			p.Inputs = append(p.Inputs, engine.Buffer{F32: v})
		}
		return p.Exact()
	}
	dw := exact(op.Conv2DWeights{Kernel: 3, Scale: 1}, filter, []tensor.Shape{in, out}, x, g)
	return map[string][]float64{
		"forward": exact(op.Conv2D{Kernel: 3, Scale: 1}, out, []tensor.Shape{in, filter}, x, w),
		"data":    exact(op.Conv2DData{Kernel: 3, Scale: 1}, in, []tensor.Shape{out, filter}, g, w),
		"weights": dw, "deep weights": dw, "chosen weights": dw,
	}
}

// winogradSizes cross the boundaries of tiles (4 pixels), of groups and blocks
// of tiles (8, 64), of blocks of channels (8, 16, 32) and of squares of channels
// (64), have one or many blocks, and are deep, the last with many blocks of each
// kind of product.
var winogradSizes = [][5]int{ // images, channels in and out, height, width
	{1, 1, 1, 1, 1}, {1, 3, 8, 3, 5}, {2, 8, 3, 4, 4}, {3, 20, 31, 5, 9}, {1, 31, 33, 7, 8},
	{7, 16, 16, 9, 13}, {1, 33, 17, 12, 31}, {17, 8, 20, 8, 8}, {2, 65, 71, 8, 11}, {5, 64, 40, 16, 17},
	{1, 20, 8, 1, 300}, {1, 8, 20, 41, 2}, {2, 330, 24, 25, 21}, {71, 340, 8, 5, 5},
}

// TestWinograd holds every path against the definition. The error of a layer of
// unit variance is at most 1e-5 of the result's root mean square.
func TestWinograd(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, s := range winogradSizes {
			n, cin, cout, h, w := s[0], s[1], s[2], s[3], s[4]
			x, g, weights := optest.Normal(1, n*cin*h*w), optest.Normal(2, n*cout*h*w), optest.Normal(3, cin*cout*9)
			want := exactConvs(t, x, g, weights, n, cin, cout, h, w)
			var first map[string][]float32
			for _, threads := range []int{1, 3} {
				b := newBackend(k, threads)
				got := map[string][]float32{}
				for name, run := range winogradProblems(b, x, g, weights, n, cin, cout, h, w) {
					got[name] = run()
					if e := relativeRMS(t, got[name], want[name]); !(e <= 1e-5) {
						t.Errorf("%v, %s: relative error %.2g, want at most 1e-5", s, name, e)
					}
					if first != nil {
						optest.SameBits(t, fmt.Sprintf("%v, %s with %d threads", s, name, threads), got[name], first[name])
					}
				}
				first = got
				b.Close()
			}
		}
	})
}

// TestWinogradAccuracy states the error of layers of the usual sizes.
func TestWinogradAccuracy(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		b := newBackend(k, 2)
		defer b.Close()
		for _, ch := range []int{32, 64, 128} {
			const n, size = 2, 16
			x, g, w := optest.Normal(1, n*ch*size*size), optest.Normal(2, n*ch*size*size), optest.Normal(3, ch*ch*9)
			want := exactConvs(t, x, g, w, n, ch, ch, size, size)
			for name, run := range winogradProblems(b, x, g, w, n, ch, ch, size, size) {
				e := relativeRMS(t, run(), want[name])
				t.Logf("%d channels, %s: %.2g", ch, name, e)
				if !(e <= 5e-6) {
					t.Errorf("%d channels, %s: relative error %.2g, want at most 5e-6", ch, name, e)
				}
			}
		}
	})
}

// TestWinogradSetsAgree: the sets that share a name give equal bits.
func TestWinogradSetsAgree(t *testing.T) {
	sets := implementations()
	for _, s := range winogradSizes {
		n, cin, cout, h, w := s[0], s[1], s[2], s[3], s[4]
		x, g, weights := optest.Normal(1, n*cin*h*w), optest.Normal(2, n*cout*h*w), optest.Normal(3, cin*cout*9)
		want := map[string]map[string][]float32{}
		for _, k := range sets {
			b := newBackend(k, 2)
			for name, run := range winogradProblems(b, x, g, weights, n, cin, cout, h, w) {
				got, key := run(), b.Name()+" "+name
				if want[key] == nil {
					want[key] = map[string][]float32{k.name: got}
				}
				for other, bits := range want[key] {
					optest.SameBits(t, fmt.Sprintf("%v, %s: %s against %s", s, name, k.name, other), got, bits)
				}
			}
			b.Close()
		}
	}
}

// TestKeptFilters: filters of the same version are transformed once, those of
// another version or of none every time.
func TestKeptFilters(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, shape := range []convShape{
			{n: 1, depth: 20, width: 40, h: 8, w: 8, kernel: 3},   // one block of tiles
			{n: 3, depth: 20, width: 40, h: 24, w: 20, kernel: 3}, // several
		} {
			for _, reverse := range []bool{false, true} {
				x, w := optest.Normal(1, shape.n*shape.depth*shape.pixels()), optest.Normal(2, shape.depth*shape.width*9)
				c := newWinogradConv(b, shape, reverse, nil)
				work := poison(c.workspace())
				run := func(version uint64) []float32 {
					y := make([]float32, shape.n*shape.width*shape.pixels())
					c.run(y, x, w, work, version)
					return y
				}
				fresh := run(0)
				optest.SameBits(t, "version 1", run(1), fresh)
				saved := slices.Clone(w)
				clear(w)
				optest.SameBits(t, "version 1 again", run(1), fresh)
				zero := make([]float32, len(fresh))
				optest.SameBits(t, "version 2", run(2), zero)
				optest.SameBits(t, "no version", run(0), zero)
				copy(w, saved)
				optest.SameBits(t, "back to version 1", run(1), fresh)
			}
		}
	})
}

// TestGreatFiltersAreNotKept: what takes longer to read than to transform would
// only take memory.
func TestGreatFiltersAreNotKept(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for channels, kept := range map[int]bool{128: true, 192: false} {
			shape := convShape{n: 1, depth: channels, width: channels, h: 4, w: 4, kernel: 3}
			c := newWinogradConv(b, shape, false, nil)
			y, x := make([]float32, channels*16), optest.Normal(1, channels*16)
			c.run(y, x, optest.Normal(2, channels*channels*9), poison(c.workspace()), 1)
			if (c.kept != nil) != kept {
				t.Errorf("filters of %d channels: kept is %v, want %v", channels, c.kept != nil, kept)
			}
		}
	})
}
