package registry

import (
	"slices"
	"strings"
	"testing"
)

func number(v float64) Builder[float64] {
	return func(map[string]float64) (float64, error) { return v, nil }
}

func TestRegistry(t *testing.T) {
	r := New("numbers", "number", func() map[string]Builder[float64] { return map[string]Builder[float64]{"one": number(1)} })
	for _, v := range []float64{2, 3} { // the later one counts
		if err := r.Register("other", number(v)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]float64{"one": 1, "other": 3} {
		build, err := r.Builder(name)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := build(nil); v != want || err != nil {
			t.Errorf("%s is %g (%v), want %g", name, v, err, want)
		}
	}
	if names := r.Names(); !slices.Equal(names, []string{"one", "other"}) {
		t.Errorf("names %v", names)
	}
	if _, err := r.Builder("two"); err == nil || !strings.Contains(err.Error(), `numbers: unknown number "two", want one of one, other`) {
		t.Errorf("an unknown name: %v", err)
	}
	for name, build := range map[string]Builder[float64]{"one": number(4), "": number(4), "nothing": nil} {
		if err := r.Register(name, build); err == nil {
			t.Errorf("%q was registered", name)
		}
	}
}
