package augment

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The lowpass is the scaling filter of an orthogonal wavelet with six vanishing
// moments, which 12 taps can have.
func TestLowpassIsSym6(t *testing.T) {
	h := lowpass()
	sum := 0.0
	for _, v := range h {
		sum += float64(v)
	}
	if math.Abs(sum-math.Sqrt2) > 1e-6 {
		t.Errorf("sum %.8f, want sqrt 2", sum)
	}
	for lag := 0; lag < taps; lag += 2 {
		dot := 0.0
		for k := range taps - lag {
			dot += float64(h[k]) * float64(h[k+lag])
		}
		want := 0.0
		if lag == 0 {
			want = 1
		}
		if math.Abs(dot-want) > 1e-6 {
			t.Errorf("lag %d: %.8f, want %v", lag, dot, want)
		}
	}
	for p := range taps / 2 {
		moment := 0.0
		for k, v := range h {
			sign := float64(1 - 2*(k%2))
			moment += sign * math.Pow(float64(k)/taps, float64(p)) * float64(v)
		}
		if math.Abs(moment) > 1e-6 {
			t.Errorf("moment %d: %.2e, want 0", p, moment)
		}
	}
}

func warped(plane []float32, n int, m affine) []float32 {
	out := slices.Clone(plane)
	s := newScratch(n)
	s.aim(m, s.mirrors())
	s.resample(out)
	return out
}

// A warp by whole pixels is the exact shift, as far as the reflection goes. By
// none at all it gives the image back.
func TestWarpByWholePixels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(9, 20).Draw(t, "n")
		limit := n - 1 - 2*reach
		x, y := rapid.IntRange(-limit, limit).Draw(t, "x"), rapid.IntRange(-limit, limit).Draw(t, "y")
		plane := noise(1, n)
		want := make([]float32, n*n)
		shift(want, plane, n, [2]int{x, y})
		got := warped(plane, n, translation(-float64(x), float64(y)))
		for i, v := range got {
			if math.Abs(float64(v-want[i])) > 1e-5 {
				t.Fatalf("element %d is %g, want %g", i, v, want[i])
			}
		}
	})
}

// A constant image is constant under any map that stays in the reflection.
func TestWarpKeepsConstants(t *testing.T) {
	const n = 24
	plane := make([]float32, n*n)
	for i := range plane {
		plane[i] = 0.75
	}
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string, lo, hi float64) float64 { return rapid.Float64Range(lo, hi).Draw(t, name) }
		m := scaling(number("sx", 0.5, 1.2), number("sy", 0.5, 1.2)).
			times(rotation(number("angle", -4, 4))).
			times(translation(number("tx", -2, 2), number("ty", -2, 2)))
		for i, v := range warped(plane, n, m) {
			if math.Abs(float64(v)-0.75) > 1e-5 {
				t.Fatalf("element %d is %g, want 0.75", i, v)
			}
		}
	})
}

// A smooth image, warped, is the image at the mapped coordinates. The lowpass
// delays by a fraction of a pixel, and back.
func TestWarpOfSmoothImage(t *testing.T) {
	const n = 32
	at := func(x, y float64) float64 { return math.Cos(0.12*x+0.3) * math.Cos(0.1*y-0.2) }
	plane := make([]float32, n*n)
	for i := range plane {
		plane[i] = float32(at(float64(i%n)-n/2+0.5, float64(i/n)-n/2+0.5))
	}
	m := rotation(0.4).times(scaling(0.8, 0.7)).times(translation(1.3, -2.1))
	got := warped(plane, n, m)
	for y := 8; y < n-8; y++ {
		for x := 8; x < n-8; x++ {
			want := at(m.at(float64(x)-n/2+0.5, float64(y)-n/2+0.5))
			if e := math.Abs(float64(got[y*n+x]) - want); e > 0.01 {
				t.Fatalf("(%d, %d) is %.4f, want %.4f", x, y, got[y*n+x], want)
			}
		}
	}
}

// Far outside there is nothing.
func TestWarpOutside(t *testing.T) {
	const n = 8
	for _, m := range []affine{translation(1000, 0), translation(0, -1000), translation(-1e6, 1e6)} {
		for i, v := range warped(noise(1, n), n, m) {
			if v != 0 {
				t.Fatalf("%v: element %d is %g, want 0", m, i, v)
			}
		}
	}
}

func TestQuarterTurns(t *testing.T) {
	plane := []float32{1, 2, 3, 4}
	for quarters, want := range [][]float32{{1, 2, 3, 4}, {2, 4, 1, 3}, {4, 3, 2, 1}, {3, 1, 4, 2}} {
		got := slices.Clone(plane)
		turn(got, 2, quarters)
		if !slices.Equal(got, want) {
			t.Errorf("%d quarter turns counterclockwise: %v, want %v", quarters, got, want)
		}
	}
}

func TestReflect(t *testing.T) {
	want := []int{2, 1, 0, 1, 2, 1, 0, 1, 2, 1}
	for k, w := range want {
		if got := reflect(k-2, 3); got != w {
			t.Errorf("pixel %d of 3 is %d, want %d", k-2, got, w)
		}
	}
}
