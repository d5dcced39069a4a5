package rng

import (
	"math"
	"testing"
)

// The known answers published with Random123 (kat_vectors, philox4x32 10).
func TestPhiloxKnownAnswers(t *testing.T) {
	cases := []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}, [2]uint32{^uint32(0), ^uint32(0)},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	}
	for _, c := range cases {
		if got := Philox4x32(c.ctr, c.key); got != c.want {
			t.Errorf("Philox4x32(%x, %x) = %x, want %x", c.ctr, c.key, got, c.want)
		}
	}
}

func TestNormalMoments(t *testing.T) {
	x := make([]float64, 1<<18)
	FillNormal(x, 7, Noise, 3)
	var m [5]float64
	for _, v := range x {
		p := 1.0
		for k := range m {
			m[k] += p / float64(len(x))
			p *= v
		}
	}
	// Five standard errors of each moment of N(0,1).
	se := 5 / math.Sqrt(float64(len(x)))
	for k, want := range []float64{1, 0, 1, 0, 3} {
		tol := se * []float64{0, 1, math.Sqrt(2), math.Sqrt(15), math.Sqrt(96)}[k]
		if math.Abs(m[k]-want) > tol+1e-12 {
			t.Errorf("moment %d = %g, want %g within %g", k, m[k], want, tol)
		}
	}
}

func TestStreamsAndIndicesDiffer(t *testing.T) {
	seen := map[[4]uint32]bool{}
	for s := Init; s <= Validate; s++ {
		for i := range uint64(4) {
			for seed := range uint64(4) {
				seen[Block(seed, s, i<<31, 0)] = true
			}
		}
	}
	if want := int(Validate) * 16; len(seen) != want {
		t.Errorf("%d distinct blocks, want %d", len(seen), want)
	}
}

func TestPermIsAPermutation(t *testing.T) {
	p := make([]int32, 1000)
	Perm(p, 1, DataOrder, 2)
	seen := make([]bool, len(p))
	fixed := 0
	for i, v := range p {
		if seen[v] {
			t.Fatalf("%d occurs twice", v)
		}
		seen[v] = true
		if int(v) == i {
			fixed++
		}
	}
	if fixed > 10 { // Poisson(1): more than 10 has probability 1e-8
		t.Errorf("%d fixed points", fixed)
	}
}

func BenchmarkFillNormal(b *testing.B) {
	x := make([]float32, 3072)
	b.SetBytes(int64(len(x)) * 4)
	for b.Loop() {
		FillNormal(x, 1, Noise, 1)
	}
}

// TestFillNormalIsASource: the bulk form gives a Source's draws, for odd and
// even lengths.
func TestFillNormalIsASource(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 100} {
		x := make([]float64, n)
		FillNormal(x, 9, Churn, 3)
		r := New(9, Churn, 3)
		for i, v := range x {
			if want := r.Normal(); v != want {
				t.Fatalf("%d draws: number %d is %v, want %v", n, i, v, want)
			}
		}
	}
}
