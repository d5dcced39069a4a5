package data

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDemo(t *testing.T) {
	ds, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	if ds.Len() != 10000 || ds.NumClasses() != 10 || ds.Shape() != (Shape{1, 32, 32}) || ds.Name() != "fashion-mnist" {
		t.Fatalf("%s: %d images %v in %d classes", ds.Name(), ds.Len(), ds.Shape(), ds.NumClasses())
	}
	var count [10]int
	for i := range ds.Len() {
		count[ds.Label(i)]++
	}
	if want := [10]int{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}; count != want {
		t.Errorf("%v images a class, want 1000 each", count)
	}
	// The published set begins with an ankle boot, a pullover, two trousers.
	var first []string
	for i := range 4 {
		first = append(first, ds.ClassNames()[ds.Label(i)])
	}
	if want := []string{"Ankle boot", "Pullover", "Trouser", "Trouser"}; !cmp.Equal(first, want) {
		t.Errorf("it begins with %v, want %v", first, want)
	}
}

func TestDemoBorder(t *testing.T) {
	stored := mustOpen(t, "demo", Options{Resolution: 28})
	padded := mustOpen(t, "", Options{})
	for _, i := range []int{0, 1234, 9999} {
		a, b := imageOf(t, stored, i), imageOf(t, padded, i)
		for y := range 32 {
			for x := range 32 {
				want := uint8(0)
				if y >= 2 && y < 30 && x >= 2 && x < 30 {
					want = a[(y-2)*28+x-2]
				}
				if b[y*32+x] != want {
					t.Fatalf("image %d at (%d, %d) is %d, want %d", i, y, x, b[y*32+x], want)
				}
			}
		}
	}
}

// Over the 28x28 pixels the test set's mean is 0.2868 and its standard
// deviation 0.3524, where 1 is white.
func TestDemoStats(t *testing.T) {
	mean, std, err := Stats(mustOpen(t, "demo", Options{Resolution: 28}))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs((mean+1)/2-0.2868) > 1e-4 || math.Abs(std/2-0.3524) > 1e-4 {
		t.Errorf("mean %.5f, std %.5f", (mean+1)/2, std/2)
	}
}

func TestDemoOptions(t *testing.T) {
	ds := mustOpen(t, "demo", Options{RGB: true, MaxSize: 100, Resolution: 40})
	if ds.Len() != 100 || ds.Shape() != (Shape{3, 40, 40}) {
		t.Fatalf("%d images %v", ds.Len(), ds.Shape())
	}
	pixels := imageOf(t, ds, 0)
	if !bytes.Equal(pixels[:1600], pixels[1600:3200]) || !bytes.Equal(pixels[:1600], pixels[3200:]) {
		t.Error("the three channels differ")
	}
	if err := Verify(ds); err != nil {
		t.Error(err)
	}
	wantError(t, openError("demo", Options{Resolution: 16}), "demo", "28x28", "resolution of 16")
}

func TestImageChecksItsArguments(t *testing.T) {
	ds := mustOpen(t, "demo", Options{})
	wantError(t, ds.Image(-1, make([]uint8, 1024)), "image -1", "0 to 9999")
	wantError(t, ds.Image(10000, make([]uint8, 1024)), "image 10000")
	wantError(t, ds.Image(0, make([]uint8, 784)), "784 bytes", "want 1024")
}
