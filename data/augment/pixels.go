package augment

import "slices"

// movePixels does the part of the plan that moves whole pixels to one channel.
func (s *scratch) movePixels(plane []float32, pl *plan) {
	n := s.resolution
	if pl.flipX {
		mirrorX(plane, n)
	}
	if pl.flipY {
		mirrorY(plane, n)
	}
	turn(plane, n, pl.quarterTurns)
	if pl.shift != [2]int{} {
		copy(s.plane, plane)
		shift(plane, s.plane, n, pl.shift)
	}
}

func mirrorX(plane []float32, n int) {
	for row := range slices.Chunk(plane, n) {
		slices.Reverse(row)
	}
}

func mirrorY(plane []float32, n int) {
	for y := range n / 2 {
		a, b := plane[y*n:][:n], plane[(n-1-y)*n:][:n]
		for x := range a {
			a[x], b[x] = b[x], a[x]
		}
	}
}

func transpose(plane []float32, n int) {
	for y := range n {
		for x := range y {
			plane[y*n+x], plane[x*n+y] = plane[x*n+y], plane[y*n+x]
		}
	}
}

// turn rotates counterclockwise by quarter turns.
func turn(plane []float32, n, quarters int) {
	if quarters == 1 || quarters == 2 {
		mirrorX(plane, n)
	}
	if quarters == 2 || quarters == 3 {
		mirrorY(plane, n)
	}
	if quarters == 1 || quarters == 3 {
		transpose(plane, n)
	}
}

// shift writes src moved by whole pixels, by[0] to the right and by[1] up;
// pixels from beyond the border are reflections of those inside.
func shift(dst, src []float32, n int, by [2]int) {
	for y := range n {
		from := src[reflect(y+by[1], n)*n:][:n]
		for x := range n {
			dst[y*n+x] = from[reflect(x-by[0], n)]
		}
	}
}

// reflect returns the pixel of 0..n-1 that is seen at i when the image is
// continued by mirrors through its outermost pixels.
func reflect(i, n int) int {
	period := 2*n - 2
	i %= period
	if i < 0 {
		i += period
	}
	return min(i, period-i)
}
