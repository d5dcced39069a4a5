package data

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"
	"sync"
)

// Extent is the largest distance of two images of a dataset, or an interval in
// which it lies.
type Extent struct {
	Lower float64 // the distance of Pair
	Upper float64
	Exact bool   // Lower and Upper are the same
	Pair  [2]int // numbers of the two images, in ascending order
}

const (
	maxSweeps = 4
	rowBlock  = 64 // rows of pairs between two looks at what is still possible
	rowTile   = 4  // rows compared at once with one image
)

// slack covers the rounding of radii, so that no pair is left out by it.
const slack = 1 + 1e-9

// pair is two images and their squared distance in 8-bit units.
type pair struct {
	square int64
	a, b   int // a < b
}

// nearest is a pair to start a search with: none is nearer.
func nearest() pair { return pair{a: 0, b: 1} }

// farther returns the farther of two pairs, and of equally far ones the first
// in order, so that the result does not depend on the order of the search.
func farther(p, q pair) pair {
	if c := cmp.Or(cmp.Compare(q.square, p.square), cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b)); c <= 0 {
		return p
	}
	return q
}

// search looks for the two images farthest from each other. By the triangle
// inequality no pair is farther apart than the sum of its distances from the
// mean, its radii, so only images far out come into question.
type search struct {
	ds     Dataset
	order  []int32   // images by radius, the largest first
	radius []float64 // in that order
	best   pair
}

// maxDistance returns the extent of ds, whose mean is given in 8-bit units.
func maxDistance(ctx context.Context, ds Dataset, mean []float64, o InspectOptions) (Extent, error) {
	if ds.Len() == 1 {
		return Extent{Exact: true}, nil
	}
	s := &search{ds: ds, best: nearest()}
	if err := s.sortByRadius(ctx, mean); err != nil {
		return Extent{}, err
	}
	if err := s.sweep(ctx); err != nil {
		return Extent{}, err
	}
	seen, err := s.compare(ctx, o)
	if err != nil {
		return Extent{}, err
	}
	const unit = 127.5
	lower := s.distance() / unit
	e := Extent{Lower: lower, Upper: lower, Exact: true, Pair: [2]int{s.best.a, s.best.b}}
	if s.possible(seen) {
		corners := 2 * math.Sqrt(float64(ds.Shape().Len()))
		e.Upper = max(lower, min(s.bound(seen)*slack/unit, corners))
		e.Exact = e.Upper == lower
	}
	return e, nil
}

// distance returns the largest distance found, in 8-bit units.
func (s *search) distance() float64 { return math.Sqrt(float64(s.best.square)) }

// bound returns an upper bound of the distances of pairs with an image of rank k or later.
func (s *search) bound(k int) float64 { return s.radius[0] + s.radius[max(k, 1)] }

// possible reports whether an image of rank k or later may be in a pair
// farther apart than the best.
func (s *search) possible(k int) bool {
	return k < len(s.radius) && s.bound(k)*slack > s.distance()
}

func (s *search) sortByRadius(ctx context.Context, mean []float64) error {
	radius := make([]float64, s.ds.Len())
	err := eachImage(ctx, s.ds, func() (func(int, []uint8) error, func()) {
		return func(i int, image []uint8) error {
			square := 0.0
			for k, v := range image {
				d := float64(v) - mean[k]
				square += d * d
			}
			radius[i] = math.Sqrt(square)
			return nil
		}, func() {}
	})
	if err != nil {
		return err
	}
	s.order = make([]int32, len(radius))
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortFunc(s.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(radius[b], radius[a]), cmp.Compare(a, b))
	})
	s.radius = make([]float64, len(radius))
	for k, i := range s.order {
		s.radius[k] = radius[i]
	}
	return nil
}

// sweep goes from the image farthest from the mean to the one farthest from
// that, and so on while it gains. The pair it ends with is near the best one,
// and rules out most others.
func (s *search) sweep(ctx context.Context) error {
	from := int(s.order[0])
	for range maxSweeps {
		before := s.best.square
		if err := s.sweepFrom(ctx, from); err != nil {
			return err
		}
		if s.best.square == before {
			return nil
		}
		from = s.best.a + s.best.b - from
	}
	return nil
}

// sweepFrom compares image i with all others.
func (s *search) sweepFrom(ctx context.Context, i int) error {
	here := make([]uint8, s.ds.Shape().Len())
	if err := s.ds.Image(i, here); err != nil {
		return err
	}
	var mu sync.Mutex
	return eachImage(ctx, s.ds, func() (func(int, []uint8) error, func()) {
		best := nearest()
		each := func(j int, image []uint8) error {
			if j == i {
				return nil
			}
			square := int64(0)
			for k, v := range image {
				d := int64(v) - int64(here[k])
				square += d * d
			}
			best = farther(best, pair{square, min(i, j), max(i, j)})
			return nil
		}
		return each, func() {
			mu.Lock()
			defer mu.Unlock()
			s.best = farther(s.best, best)
		}
	})
}

// compare compares images of rank 0, 1, ... with those of lower rank, as long
// as a farther pair is possible and o allows, and returns the first rank that
// has not been compared.
func (s *search) compare(ctx context.Context, o InspectOptions) (rank int, err error) {
	size := s.ds.Shape().Len()
	room := int(min(o.MaxBytes/int64(size), int64(len(s.order))))
	count := sort.Search(room, func(k int) bool { return !s.possible(k) })
	far, err := s.load(ctx, count)
	if err != nil {
		return 0, err
	}
	pairs := int64(0)
	for lo := 0; lo < count; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if !s.possible(lo) {
			return lo, nil
		}
		hi := min(lo+rowBlock, count)
		for k := lo; k < hi; k++ {
			pairs += int64(min(k, s.partners(k, count)))
		}
		if pairs > o.MaxPairs {
			return lo, nil
		}
		if err := s.block(ctx, far, lo, hi); err != nil {
			return 0, err
		}
		lo = hi
	}
	return count, nil
}

// partners returns how many images, the first in order, may be farther than
// the best pair from the image of rank k.
func (s *search) partners(k, count int) int {
	return sort.Search(count, func(j int) bool { return (s.radius[j]+s.radius[k])*slack <= s.distance() })
}

// loaded is the first images in order, and their squared lengths.
type loaded struct {
	size   int
	pixels []uint8
	square []int64
}

func (l *loaded) at(k int) []uint8 { return l.pixels[k*l.size:][:l.size] }

func (s *search) load(ctx context.Context, count int) (*loaded, error) {
	size := s.ds.Shape().Len()
	l := &loaded{size, make([]uint8, count*size), make([]int64, count)}
	return l, eachRange(count, func(lo, hi int) error {
		for k := lo; k < hi; k++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			image := l.at(k)
			if err := s.ds.Image(int(s.order[k]), image); err != nil {
				return err
			}
			for _, v := range image {
				l.square[k] += int64(v) * int64(v)
			}
		}
		return nil
	})
}

// block compares the images of rank lo to hi-1 with their partners of lower
// rank.
func (s *search) block(ctx context.Context, far *loaded, lo, hi int) error {
	count := len(far.square)
	limit := s.partners(lo, count)
	tiles := (hi - lo + rowTile - 1) / rowTile
	bests := make([]pair, tiles)
	err := eachRange(tiles, func(from, to int) error {
		for t := from; t < to; t++ {
			// The last tile may repeat the rows before it.
			first := max(0, min(lo+t*rowTile, hi-rowTile))
			bests[t] = s.tile(far, first, min(first+rowTile, hi), limit)
		}
		return ctx.Err()
	})
	for _, p := range bests {
		s.best = farther(s.best, p)
	}
	return err
}

// tile compares the images of rank lo to hi-1, at most rowTile, with those of
// lower rank and below limit.
func (s *search) tile(far *loaded, lo, hi, limit int) pair {
	var rows [rowTile][]uint8
	for r := range rows {
		rows[r] = far.at(min(lo+r, hi-1))
	}
	best := nearest()
	for j := range min(hi-1, limit) {
		dots := dot4(&rows, far.at(j))
		for k := max(lo, j+1); k < hi; k++ {
			a, b := int(s.order[j]), int(s.order[k])
			square := far.square[j] + far.square[k] - 2*dots[k-lo]
			best = farther(best, pair{square, min(a, b), max(a, b)})
		}
	}
	return best
}

// dot4 returns the scalar products of four images with x.
func dot4(rows *[rowTile][]uint8, x []uint8) [rowTile]int64 {
	n := len(x)
	r0, r1, r2, r3 := rows[0][:n], rows[1][:n], rows[2][:n], rows[3][:n]
	var s0, s1, s2, s3 int64
	for k, v := range x {
		w := int64(v)
		s0 += w * int64(r0[k])
		s1 += w * int64(r1[k])
		s2 += w * int64(r2[k])
		s3 += w * int64(r3[k])
	}
	return [rowTile]int64{s0, s1, s2, s3}
}
