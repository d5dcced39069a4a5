//go:build gpu

package cuda

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"edm/internal/engine"
	"edm/internal/rng"
)

// fedSum is the runner of z = x + y with y fed.
type fedSum struct {
	*runner
	x, z []float32
}

func newFedSum(t *testing.T, n int) *fedSum {
	t.Helper()
	s := &fedSum{newAdder(t, backend(t, fp32), n), make([]float32, n), make([]float32, n)}
	s.Bind(0, engine.Buffer{F32: s.x}, 0)
	s.Bind(2, engine.Buffer{F32: s.z}, 0)
	return s
}

// run runs the program once and holds the launches that make y to their source.
func (s *fedSum) run(t *testing.T) {
	t.Helper()
	must(t, s.Start(), s.Wait())
	known := heads(t, "feed")
	for l := range s.feeds() {
		h, ok := known[l.name]
		checkArguments(t, h, ok, l.launch)
	}
}

// apart returns the distance of two numbers in float32 numbers between them.
func apart(a, b float32) int64 {
	order := func(v float32) int64 {
		if i := int64(int32(math.Float32bits(v))); i >= 0 {
			return i
		}
		return -int64(math.Float32bits(v) & math.MaxInt32)
	}
	d := order(a) - order(b)
	return max(d, -d)
}

// tails returns the indices below n whose first two draws are farthest from and
// nearest to 0.
func tails(t *testing.T, seed uint64, s rng.Stream, n uint64) []int64 {
	t.Helper()
	var far, near uint64
	least, most := uint32(math.MaxUint32), uint32(0)
	for i := range n {
		u := rng.Block(seed, s, i, 0)[1] // the first bits of what the distance grows with
		if u > most {
			most, far = u, i
		}
		if u < least {
			least, near = u, i
		}
	}
	for index, want := range map[uint64][2]float64{far: {5, 9}, near: {0, 0.002}} {
		r := rng.New(seed, s, index)
		if d := math.Hypot(r.Normal(), r.Normal()); d < want[0] || d > want[1] {
			t.Errorf("the first draws of index %d are %v from 0, want %v", index, d, want)
		}
	}
	return []int64{int64(far), int64(near)}
}

// The draws of the device are those of the host to 1 unit in the last place, for
// seeds, streams and indices of more than 32 bits, images of any length, and the
// tails.
func TestNormals(t *testing.T) {
	const seed = 0xfedcba9876543210
	drawn, differ := 0, 0
	for _, c := range []struct {
		d    engine.Normals
		size int
	}{
		{engine.Normals{Seed: 1, Stream: rng.Noise, Index: []int64{0, 1, 2}}, 3072},
		{engine.Normals{Seed: seed, Stream: rng.Validate, Index: []int64{7, 1 << 40, math.MaxInt64}}, 784},
		{engine.Normals{Seed: seed, Stream: rng.Noise, Index: append(tails(t, seed, rng.Noise, 1<<22), 5)}, 5001},
		{engine.Normals{Seed: 3, Stream: rng.Noise, Index: []int64{4, 9}}, 1},
		{engine.Normals{Seed: 3, Stream: rng.Noise, Index: []int64{4, 9, 1}}, 2},
		{engine.Normals{Seed: math.MaxUint64, Stream: rng.Noise, Index: []int64{6, 4, 9, 1, 0}}, 7},
	} {
		n := c.size * len(c.d.Index)
		s, want := newFedSum(t, n), make([]float32, n)
		s.Feed(1, c.d)
		s.run(t)
		c.d.Fill(want)
		for i, v := range s.z {
			if !(apart(v, want[i]) <= 1) {
				t.Fatalf("%+v: number %d is %v, want %v", c.d, i, v, want[i])
			}
			if drawn++; v != want[i] {
				differ++
			}
		}
		must(t, s.Close())
	}
	t.Logf("%d of %d numbers differ in the last place", differ, drawn)
}

// Pixels are converted to the bits that the host makes of them: every value, images
// of any length, and from one memory after another.
func TestPixels(t *testing.T) {
	for _, n := range []int{1, 3, 4, 256, 2051} {
		s, want := newFedSum(t, n), make([]float32, n)
		for run := range 3 {
			p := make(engine.Pixels, n)
			for i := range p {
				p[i] = uint8(7*i + run)
			}
			s.Feed(1, p)
			s.run(t)
			if p.Fill(want); !slices.Equal(s.z, want) {
				t.Errorf("%d pixels: %v, want %v", n, s.z, want)
			}
		}
		must(t, s.Close())
	}
}

// What is fed changes from run to run, some of it while a run is under way, and
// gives way to what is bound and back.
func TestFeedsInTurn(t *testing.T) {
	s := newFedSum(t, 8)
	draw := engine.Normals{Seed: 1, Stream: rng.Noise, Index: []int64{0, 0}}
	want := make([]float32, 8)
	check := func(what string) {
		t.Helper()
		must(t, s.Wait())
		for i, v := range s.z {
			if apart(v, want[i]) > 1 {
				t.Fatalf("%s: %v, want %v", what, s.z, want)
			}
		}
	}
	for run := range 5 {
		draw.Index[0], draw.Index[1] = int64(run), int64(run+1)
		s.Feed(1, draw)
		must(t, s.Start())
		draw.Fill(want)
		if run%2 == 0 { // the next run's, while this one computes
			draw.Index[0], draw.Index[1] = int64(run+1), int64(run+2)
			s.Feed(1, draw)
			must(t, s.Prefetch())
		}
		check("fed")
	}
	y := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	s.Bind(1, engine.Buffer{F32: y}, 0)
	must(t, s.Start())
	copy(want, y)
	check("bound")
	s.Feed(1, draw)
	must(t, s.RunTimed(func(*engine.Step, time.Duration) {}))
	draw.Fill(want)
	must(t, s.Start())
	check("fed again")
	must(t, s.b.Mirror(y))
	s.Bind(1, engine.Buffer{F32: y}, 0)
	must(t, s.Start())
	copy(want, y)
	check("mirrored")
	must(t, s.Close(), s.b.Release(y))
}

// A kernel that makes an input and fails is named, and that it is an input's.
func TestFeedFault(t *testing.T) {
	listens := os.Getenv(stagingChild)
	if listens == "" {
		withFault(t, "pixels:1")
		return
	}
	s := newFedSum(t, 4)
	s.Feed(1, engine.Pixels{1, 2, 3, 4})
	err := s.Start()
	if listens == "true" && (err == nil || !strings.Contains(err.Error(), "kernel feed.pixels of an input")) {
		t.Errorf("a kernel failed, and the run: %v", err)
	}
}
