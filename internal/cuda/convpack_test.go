//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"testing"

	"edm/internal/testkit/optest"
)

// unpacked returns n bfloat16 from an address on.
func (b *table) unpacked(t *testing.T, at pointer, n int) []float32 {
	t.Helper()
	y := make([]float32, n)
	for i, w := range b.read(t, at, parts(n, 2)) {
		bits := math.Float32bits(w)
		y[2*i] = math.Float32frombits(bits << 16)
		if 2*i+1 < n {
			y[2*i+1] = math.Float32frombits(bits &^ 0xffff)
		}
	}
	return y
}

// packInput returns numbers among which some lie halfway between two bfloat16,
// above an even one or an odd one.
func packInput(n int) []float32 {
	x := optest.Normal(1, n)
	for i := range x {
		if i%5 < 2 {
			x[i] = math.Float32frombits(math.Float32bits(x[i])&^0x1ffff | uint32(i%5)<<16 | 0x8000)
		}
	}
	return x
}

// TestPackPixels: sizes cross the borders of tiles, and a tile of pixels those of
// images.
func TestPackPixels(t *testing.T) {
	b := newTable(t)
	for _, s := range [][4]int{{1, 1, 1, 1}, {3, 3, 7, 5}, {1, 130, 8, 8}, {2, 64, 4, 4}, {5, 8, 1, 3}, {3, 130, 28, 28}, {1, 71, 9, 15}} {
		for _, shift := range []int{0, 1} {
			t.Run(fmt.Sprint(s, shift), func(t *testing.T) {
				p := newPackedPixels(s[:])
				x := packInput(p.count() * p.channels)
				want := packedOf(p, x)
				to := b.unwritten(t, p.elements(), 0)
				b.start(t, []launch{p.pack(to, b.floats(t, x, shift))})
				optest.SameBits(t, "pixels", b.unpacked(t, to, len(want)), want)
			})
		}
	}
}

// TestPackWeights: both ways, with sizes that cross the borders of tiles.
func TestPackWeights(t *testing.T) {
	b := newTable(t)
	for _, s := range [][2]int{{1, 1}, {3, 8}, {8, 3}, {17, 130}, {130, 64}, {64, 65}} {
		for _, taps := range []int{1, 9} {
			for _, reverse := range []bool{false, true} {
				t.Run(fmt.Sprint(s, taps, reverse), func(t *testing.T) {
					p := packedWeights{rows: s[0], columns: s[1], taps: taps, reverse: reverse}
					w := packInput(p.rows * p.columns * taps)
					rounded := bf16.rounded(w)
					want := make([]float32, taps*p.rows*p.stride())
					for i := range want {
						tap, row, column := i/p.stride()/p.rows, i/p.stride()%p.rows, i%p.stride()
						if column >= p.columns {
							continue
						}
						if reverse {
							want[i] = rounded[(column*p.rows+row)*taps+taps-1-tap]
						} else {
							want[i] = rounded[(row*p.columns+column)*taps+tap]
						}
					}
					to := b.unwritten(t, p.elements(), 0)
					b.start(t, []launch{p.pack(to, b.floats(t, w, 1))})
					optest.SameBits(t, "weights", b.unpacked(t, to, len(want)), want)
				})
			}
		}
	}
}
