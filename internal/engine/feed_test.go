package engine_test

import (
	"strings"
	"testing"

	"edm/internal/engine"
	"edm/internal/rng"
	"edm/internal/testkit/detached"
)

// An input holds what it is fed, as it is when the run starts, until something is
// bound, whether or not the backend makes it.
func TestFeed(t *testing.T) {
	for name, b := range map[string]engine.Backend{"portable": engine.Portable{}, "detached": &detached.Backend{}} {
		s := newSum(t, b)
		p := engine.Pixels{0, 255, 0, 51}
		must(t, s.Feed(s.first, p), s.RunAll())
		s.want(t, name+": pixels", 9, 21, 29, 39.4)
		p[0] = 255
		must(t, s.Feed(s.first, p), s.RunAll())
		s.want(t, name+": other pixels", 11, 21, 29, 39.4)
		must(t, s.Bind(s.first, engine.Buffer{F32: s.x}), s.RunAll())
		s.want(t, name+": bound", 11, 22, 33, 44)
		must(t, s.Feed(s.first, p), s.RunAll())
		s.want(t, name+": pixels again", 11, 21, 29, 39.4)

		s = newSum(t, b)
		clear(s.y)
		d := engine.Normals{Seed: 3, Stream: rng.Noise, Index: []int64{8, 1 << 40}}
		must(t, s.Feed(s.first, d), s.RunAll())
		var want [4]float32
		rng.FillNormal(want[:2], 3, rng.Noise, 8)
		rng.FillNormal(want[2:], 3, rng.Noise, 1<<40)
		s.want(t, name+": normals", want[:]...)
	}
}

// What does not fit an input, or what was fed to it before, is refused on every
// backend.
func TestFeedRefuses(t *testing.T) {
	for _, b := range []engine.Backend{engine.Portable{}, &detached.Backend{}} {
		s := newSum(t, b)
		for want, err := range map[string]error{
			"3 pixels, want 4":        s.Feed(s.first, make(engine.Pixels, 3)),
			"0 indices do not divide": s.Feed(s.first, engine.Normals{}),
			"3 indices do not divide": s.Feed(s.first, engine.Normals{Index: make([]int64, 3)}),
			"not a float32 input":     s.Feed(s.last, make(engine.Pixels, 4)),
			"and for 0 before":        twice(s, make(engine.Pixels, 4), engine.Normals{Index: make([]int64, 2)}),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		must(t, s.RunAll())
	}
}

// twice feeds one thing and returns the error of feeding another.
func twice(s *sum, first, second engine.Feed) error {
	if err := s.Feed(s.first, first); err != nil {
		return err
	}
	return s.Feed(s.first, second)
}
