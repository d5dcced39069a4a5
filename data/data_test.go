package data

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalize(t *testing.T) {
	src := []uint8{0, 51, 102, 153, 204, 255}
	dst := make([]float32, 7)
	dst[6] = 9
	Normalize(dst, src)
	want := []float32{-1, -0.6, -0.2, 0.2, 0.6, 1}
	for i, w := range want {
		if math.Abs(float64(dst[i]-w)) > 1e-7 {
			t.Errorf("%d becomes %v, want %v", src[i], dst[i], w)
		}
	}
	if dst[0] != -1 || dst[5] != 1 {
		t.Errorf("ends are %v and %v, want exactly -1 and 1", dst[0], dst[5])
	}
	if dst[6] != 9 {
		t.Error("wrote beyond src")
	}
}

func TestStats(t *testing.T) {
	ds := smallGrid(50)
	var x []float64
	for i := range ds.Len() {
		for _, v := range imageOf(t, ds, i) {
			x = append(x, float64(v)/127.5-1)
		}
	}
	var want, square float64
	for _, v := range x {
		want += v / float64(len(x))
	}
	for _, v := range x {
		square += (v - want) * (v - want) / float64(len(x))
	}
	mean, std, err := Stats(ds)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(mean-want) > 1e-12 || math.Abs(std-math.Sqrt(square)) > 1e-12 {
		t.Errorf("Stats = %v, %v, want %v, %v", mean, std, want, math.Sqrt(square))
	}
}

func TestStatsTakesAtMostSoMany(t *testing.T) {
	read := &counting{Dataset: smallGrid(3 * maxStatsImages)}
	if _, _, err := Stats(read); err != nil {
		t.Fatal(err)
	}
	if n := read.n.Load(); n != maxStatsImages {
		t.Errorf("read %d images, want %d", n, maxStatsImages)
	}
	// Evenly spaced: every third.
	if k := read.sum.Load(); k != 3*maxStatsImages*(maxStatsImages-1)/2 {
		t.Errorf("sum of the image numbers is %d", k)
	}
}

func TestStatsAndVerifyReportTheFirstBadImage(t *testing.T) {
	ds := smallGrid(100)
	ds.bad = 37
	_, _, err := Stats(ds)
	wantError(t, err, "image 37")
	wantError(t, Verify(ds), "image 37")
	wantError(t, Verify(badLabel{smallGrid(5)}), "label 3", "-1 to 2")
	if err := Verify(smallGrid(5)); err != nil {
		t.Errorf("Verify of a sound dataset: %v", err)
	}
}

type badLabel struct{ grid }

func (badLabel) Label(i int) int { return i }

type misnamed struct{ grid }

func (misnamed) ClassNames() []string { return []string{"one"} }

func TestUnusableDatasets(t *testing.T) {
	for _, ds := range []Dataset{nil, smallGrid(0), grid{n: 1}, misnamed{smallGrid(1)}} {
		wantError(t, Verify(ds), "data: verify")
		_, _, err := Stats(ds)
		wantError(t, err, "data: stats")
		_, err = Subset(ds, 1)
		wantError(t, err, "data: subset")
		_, err = NewLoader(ds, LoaderOptions{Batch: 1})
		wantError(t, err, "data: new loader")
	}
}

func TestSubset(t *testing.T) {
	ds := smallGrid(40)
	s, err := Subset(ds, 15)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Subset(ds, 15)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for i := range s.Len() {
		pixels := imageOf(t, s, i)
		k := -1
		for j := range ds.Len() {
			if cmp.Equal(imageOf(t, ds, j), pixels) {
				k = j
			}
		}
		if k <= last {
			t.Fatalf("image %d of the subset is number %d, after %d", i, k, last)
		}
		last = k
		if s.Label(i) != ds.Label(k) {
			t.Errorf("label %d, want %d", s.Label(i), ds.Label(k))
		}
		if !cmp.Equal(imageOf(t, again, i), pixels) {
			t.Error("a second subset differs")
		}
	}
	if s.Len() != 15 || last < 15 {
		t.Errorf("%d images, the last is number %d: want 15 spread over 40", s.Len(), last)
	}
	wantError(t, s.Image(15, make([]uint8, 12)), "image 15", "0 to 14")
	for _, n := range []int{0, 41, -1} {
		_, err := Subset(ds, n)
		wantError(t, err, "want 1 to 40")
	}
}

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := Open("demo", Options{Resolution: -1, MaxSize: -2, CacheBytes: -3})
	wantError(t, err, "data: open demo", "Resolution -1", "MaxSize -2", "CacheBytes -3")
	err = LoaderOptions{Start: -1, Batch: 0, Prefetch: -1, Workers: -1}.Validate()
	wantError(t, err, "Start -1", "Batch 0", "Prefetch -1", "Workers -1")
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	o := DefaultLoaderOptions()
	o.Batch = 1
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"faces":       "faces",
		"my photos/1": "my-photos-1",
		"..":          "images",
		"a:b*c?":      "a-b-c",
		"été_2.x":     "t-_2.x",
	} {
		if got := safeName(in); got != want {
			t.Errorf("safeName(%q) = %q, want %q", in, got, want)
		}
	}
}
