package augment

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func coloured(m colour, rgb [3]float32) [3]float64 {
	img := rgb[:]
	m.apply(img, 3)
	return [3]float64{float64(img[0]), float64(img[1]), float64(img[2])}
}

func near(a, b [3]float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-5 {
			return false
		}
	}
	return true
}

func TestColourClosedForms(t *testing.T) {
	rgb := [3]float32{0.9, -0.3, 0.3} // lightness 0.3
	for _, c := range []struct {
		name string
		m    colour
		want [3]float64
	}{
		{"unchanged", unchanged(), [3]float64{0.9, -0.3, 0.3}},
		{"brightness", offset(0.1), [3]float64{1, -0.2, 0.4}},
		{"contrast", gain(2), [3]float64{1.8, -0.6, 0.6}},
		{"luma flip", alongGrey(-1), [3]float64{0.3, -0.9, -0.3}},
		{"no saturation", acrossGrey(0), [3]float64{0.3, 0.3, 0.3}},
		{"double saturation", acrossGrey(2), [3]float64{1.5, -0.9, 0.3}},
		{"red to green", aboutGrey(2 * math.Pi / 3), [3]float64{0.3, 0.9, -0.3}},
		{"half turn of hue", aboutGrey(math.Pi), [3]float64{-0.3, 0.9, 0.3}},
		{"brightness, then contrast", gain(2).times(offset(0.1)), [3]float64{2, -0.4, 0.8}},
	} {
		if got := coloured(c.m, rgb); !near(got, c.want) {
			t.Errorf("%s: %.5f, want %.5f", c.name, got, c.want)
		}
	}
}

// A turn of the hue keeps lightness and saturation; turns add up.
func TestHueTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := func(name string) float32 { return rapid.Float32Range(-1, 1).Draw(t, name) }
		rgb := [3]float32{v("r"), v("g"), v("b")}
		a := rapid.Float64Range(-4, 4).Draw(t, "a")
		b := rapid.Float64Range(-4, 4).Draw(t, "b")
		got := coloured(aboutGrey(a), rgb)
		want := [3]float64{float64(rgb[0]), float64(rgb[1]), float64(rgb[2])}
		if math.Abs(got[0]+got[1]+got[2]-want[0]-want[1]-want[2]) > 1e-5 {
			t.Fatalf("lightness of %v became that of %v", want, got)
		}
		if math.Abs(math.Hypot(math.Hypot(got[0], got[1]), got[2])-math.Hypot(math.Hypot(want[0], want[1]), want[2])) > 1e-5 {
			t.Fatalf("length of %v became that of %v", want, got)
		}
		if !near(coloured(aboutGrey(a).times(aboutGrey(b)), rgb), coloured(aboutGrey(a+b), rgb)) {
			t.Fatalf("turns of %g and %g are not one of %g", a, b, a+b)
		}
	})
}

// A grey image changes as its colours would if it had three equal channels.
func TestGreyAsColour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float32Range(-1, 1).Draw(t, "v")
		m := alongGrey(-1).times(gain(rapid.Float64Range(0.1, 4).Draw(t, "contrast"))).
			times(offset(rapid.Float64Range(-1, 1).Draw(t, "brightness")))
		grey := []float32{v}
		m.apply(grey, 1)
		if got, want := float64(grey[0]), coloured(m, [3]float32{v, v, v}); !near([3]float64{got, got, got}, want) {
			t.Fatalf("grey %g became %g, in colour %v", v, got, want)
		}
	})
}
