package data

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"edm/internal/rng"
)

// listed is a dataset of given images.
type listed struct {
	grid
	pixels [][]uint8
}

func (l listed) Len() int { return len(l.pixels) }

func (l listed) Image(i int, dst []uint8) error {
	copy(dst, l.pixels[i])
	return nil
}

// drawListed draws a dataset. With few levels it has duplicates and many pairs
// equally far apart.
func drawListed(t *rapid.T) listed {
	shape := Shape{rapid.IntRange(1, 3).Draw(t, "channels"), rapid.IntRange(1, 3).Draw(t, "height"), rapid.IntRange(1, 3).Draw(t, "width")}
	top := rapid.SampledFrom([]int{1, 3, 255}).Draw(t, "top")
	images := make([][]uint8, rapid.IntRange(1, 200).Draw(t, "images"))
	r := rng.New(rapid.Uint64().Draw(t, "seed"), rng.Noise, 0)
	for i := range images {
		images[i] = make([]uint8, shape.Len())
		for k := range images[i] {
			images[i][k] = uint8(r.Intn(top + 1))
		}
	}
	return listed{grid{shape: shape}, images}
}

// extent compares all pairs.
func extent(ds listed) Extent {
	e := Extent{Exact: true}
	most := int64(-1)
	for b := range ds.pixels {
		for a := range b {
			square := int64(0)
			for k, v := range ds.pixels[a] {
				d := int64(v) - int64(ds.pixels[b][k])
				square += d * d
			}
			at := [2]int{a, b}
			if square > most || square == most && slices.Compare(at[:], e.Pair[:]) < 0 {
				most, e.Pair = square, at
			}
		}
	}
	e.Lower = math.Sqrt(float64(max(most, 0))) / 127.5
	e.Upper = e.Lower
	return e
}

func TestInspectMatchesBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := drawListed(t)
		r, err := Inspect(t.Context(), ds, DefaultInspectOptions())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(extent(ds), r.MaxDistance); diff != "" {
			t.Fatalf("distance: %s", diff)
		}
		mean, std, err := Stats(ds)
		if err != nil || mean != r.Mean || std != r.SigmaData {
			t.Fatalf("mean %g and std %g, want %g and %g: %v", r.Mean, r.SigmaData, mean, std, err)
		}
		constant, duplicates := 0, 0
		for i, p := range ds.pixels {
			if slices.ContainsFunc(ds.pixels[:i], func(q []uint8) bool { return slices.Equal(p, q) }) {
				duplicates++
			}
			flat := true
			for plane := range slices.Chunk(p, len(p)/ds.shape.Channels) {
				flat = flat && slices.Min(plane) == slices.Max(plane)
			}
			if flat {
				constant++
			}
		}
		if r.Constant != constant || r.Duplicates != duplicates {
			t.Fatalf("%d constant images and %d duplicates, want %d and %d", r.Constant, r.Duplicates, constant, duplicates)
		}
	})
}

// Where the search is cut short, the result is an interval that holds the
// truth, and its lower end is the distance of a pair.
func TestInspectBounds(t *testing.T) {
	exact, intervals := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		ds := drawListed(t)
		o := InspectOptions{
			MaxPairs: rapid.SampledFrom([]int64{0, 100, 2500, 1e9}).Draw(t, "pairs"),
			MaxBytes: int64(ds.shape.Len()) * rapid.SampledFrom([]int64{0, 1, 70, 1e9}).Draw(t, "images"),
		}
		r, err := Inspect(t.Context(), ds, o)
		if err != nil {
			t.Fatal(err)
		}
		got, want := r.MaxDistance, extent(ds)
		if got.Lower > want.Lower || got.Upper < want.Upper || got.Exact != (got.Lower == got.Upper) || r.SigmaMax() != got.Upper {
			t.Fatalf("%+v, want bounds of %+v", got, want)
		}
		if ds.Len() > 1 {
			two := listed{ds.grid, [][]uint8{ds.pixels[got.Pair[0]], ds.pixels[got.Pair[1]]}}
			if d := extent(two).Lower; d != got.Lower {
				t.Fatalf("pair %v is %g apart, want %g", got.Pair, d, got.Lower)
			}
		}
		if got.Exact {
			exact++
		} else {
			intervals++
		}
	})
	if exact == 0 || intervals == 0 {
		t.Errorf("%d exact results and %d intervals: the test has seen one kind only", exact, intervals)
	}
}

func TestInspectCounts(t *testing.T) {
	r, err := Inspect(t.Context(), smallGrid(100), DefaultInspectOptions())
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "grid" || r.Images != 100 || r.Shape != (Shape{2, 2, 3}) || r.Unlabelled != 0 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]int{34, 33, 33}, r.ClassSizes); diff != "" {
		t.Error(diff)
	}
	// The first channel is 1 as often as -1, the second always 1.
	two := listed{grid{shape: Shape{2, 1, 2}}, [][]uint8{{0, 0, 255, 255}, {255, 255, 255, 255}}}
	r, err = Inspect(t.Context(), two, DefaultInspectOptions())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Moments{{0, 1}, {1, 0}}, r.Channels); diff != "" {
		t.Error(diff)
	}
	if r.Mean != 0.5 || math.Abs(r.SigmaData-math.Sqrt(0.75)) > 1e-12 || r.Constant != 2 || math.Abs(r.MaxDistance.Lower-math.Sqrt(8)) > 1e-12 {
		t.Errorf("%+v", r)
	}
}

// Images of one hash are told apart by their pixels.
func TestDuplicatesOfCollidingHashes(t *testing.T) {
	ds := listed{grid{shape: Shape{1, 1, 2}}, [][]uint8{{1, 2}, {3, 4}, {1, 2}, {5, 6}, {3, 4}, {1, 2}}}
	if n, err := duplicates(t.Context(), ds, make([]uint64, len(ds.pixels))); err != nil || n != 3 {
		t.Errorf("%d duplicates, error %v, want 3", n, err)
	}
}

func TestInspectDemo(t *testing.T) {
	ds := mustOpen(t, "demo", Options{MaxSize: 300})
	r, err := Inspect(t.Context(), ds, DefaultInspectOptions())
	if err != nil {
		t.Fatal(err)
	}
	all := listed{grid: grid{shape: ds.Shape()}}
	sizes := make([]int, 10)
	for i := range ds.Len() {
		all.pixels = append(all.pixels, imageOf(t, ds, i))
		sizes[ds.Label(i)]++
	}
	if diff := cmp.Diff(extent(all), r.MaxDistance); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(sizes, r.ClassSizes); diff != "" || r.ClassNames[9] != "Ankle boot" || r.SigmaMax() != r.MaxDistance.Lower {
		t.Errorf("%s %+v", diff, r)
	}
}

func TestInspectFaults(t *testing.T) {
	bad := smallGrid(20)
	bad.bad = 13
	if _, err := Inspect(t.Context(), bad, DefaultInspectOptions()); !errors.Is(err, errBadImage) {
		t.Errorf("error %v, want %v", err, errBadImage)
	}
	_, err := Inspect(t.Context(), smallGrid(0), InspectOptions{MaxPairs: -1, MaxBytes: -2})
	wantError(t, err, "data: inspect", "0 images", "MaxPairs -1", "MaxBytes -2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, smallGrid(20), DefaultInspectOptions()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after a cancellation", err)
	}
	_, err = Inspect(t.Context(), mislabelled{smallGrid(20)}, DefaultInspectOptions())
	wantError(t, err, "data: inspect grid", "label 3, want -1 to 2")
}

type mislabelled struct{ grid }

func (m mislabelled) Label(i int) int { return 3 }
