package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSeedList(t *testing.T) {
	for text, want := range map[string][]uint64{
		"7": {7}, "0-3": {0, 1, 2, 3}, "1,2,5-7": {1, 2, 5, 6, 7}, " 4 , 2-3": {4, 2, 3},
		"3,1-4,1": {3, 1, 2, 4}, "18446744073709551614-18446744073709551615": {math.MaxUint64 - 1, math.MaxUint64},
	} {
		var l seedList
		if err := l.Set(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, l.values); diff != "" || l.String() != text {
			t.Errorf("%q (%q):\n%s", text, l.String(), diff)
		}
	}
}

func TestSeedListFaults(t *testing.T) {
	for text, want := range map[string]string{
		"": "no seed", "a": "no seed", "-3": "no seed", "1,,2": "no seed", "1.5": "no seed",
		"3-": "no range", "3-x": "no range", "5-3": "smaller number first", "18446744073709551616": "no seed",
		"0-18446744073709551615": "more than 1000000", "0-999999,2000000": "more than 1000000",
	} {
		l := seedList{values: []uint64{1}}
		if err := l.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
		if len(l.values) != 1 {
			t.Errorf("%q changed the list in spite of its error", text)
		}
	}
}

// Any list of ranges gives each seed of the ranges once, in order.
func TestSeedListProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var parts []string
		var want []uint64
		for range rapid.IntRange(1, 6).Draw(rt, "parts") {
			first := rapid.Uint64Range(0, 40).Draw(rt, "first")
			last := first + rapid.Uint64Range(0, 9).Draw(rt, "length")
			part := strconv.FormatUint(first, 10)
			if last > first {
				part += "-" + strconv.FormatUint(last, 10)
			}
			parts = append(parts, part)
			for s := first; s <= last; s++ {
				if !slices.Contains(want, s) {
					want = append(want, s)
				}
			}
		}
		var l seedList
		if err := l.Set(strings.Join(parts, ",")); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, l.values); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestFixedClass(t *testing.T) {
	names := []string{"Shirt", "Bag", "2"}
	for _, c := range []struct {
		text    string
		classes int
		names   []string
		want    int
		fault   string
	}{
		{"", 3, names, -1, ""},
		{"", 0, nil, -1, ""},
		{"1", 3, names, 1, ""},
		{"bag", 3, names, 1, ""},
		{"2", 3, nil, 2, ""},
		{"3", 3, names, 0, "want 0 to 2 or one of Shirt, Bag, 2"},
		{"-1", 3, nil, 0, "want 0 to 2"},
		{"Coat", 3, nil, 0, "want 0 to 2"},
		{"1", 0, nil, 0, "unconditional"},
	} {
		got, err := fixedClass(c.text, c.classes, c.names)
		if (err == nil) != (c.fault == "") || (err != nil && !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("class %q of %d: error %v, want %q", c.text, c.classes, err, c.fault)
		}
		if err == nil && got != c.want {
			t.Errorf("class %q is %d, want %d", c.text, got, c.want)
		}
	}
}

// A seed draws its class alone, and all classes come up alike.
func TestClassesOf(t *testing.T) {
	const n, classes = 3000, 10
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	all := classesOf(seeds, -1, classes)
	counts := make([]int, classes)
	for i, c := range all {
		counts[c]++
		if alone := classesOf(seeds[i:i+1], -1, classes); alone[0] != c {
			t.Fatalf("seed %d draws class %d alone and %d among others", i, alone[0], c)
		}
	}
	for c, k := range counts { // 300 +- 16.4 each: 5 deviations
		if math.Abs(float64(k-n/classes)) > 82 {
			t.Errorf("class %d comes up %d times of %d", c, k, n)
		}
	}
	if got := classesOf(seeds[:3], 7, classes); !slices.Equal(got, []int{7, 7, 7}) {
		t.Errorf("fixed class 7 gives %v", got)
	}
	if got := classesOf(seeds, -1, 0); got != nil {
		t.Errorf("an unconditional network gets classes")
	}
}
