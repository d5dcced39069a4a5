//go:build gpu

package cuda

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// fragments is how a matrix instruction spreads its operands over the registers
// of a warp, as the PTX ISA documents it for m16n8k8 of tf32 and m16n8k16 of
// bfloat16: a lane is member lane%4 of group lane/4.
type fragments struct {
	name   string
	depth  int // of A [16,depth] and B [depth,8]
	packed int // numbers a register
}

var fragmentKinds = []fragments{{"probe_mma_tf32", 8, 1}, {"probe_mma_bf16", 16, 2}}

// a returns the row and column of number j of lane's register r of A.
func (f fragments) a(lane, r, j int) (row, k int) {
	return lane/4 + 8*(r%2), lane%4*f.packed + j + f.depth/2*(r/2)
}

// b returns the row and column of number j of lane's register r of B.
func (f fragments) b(lane, r, j int) (k, column int) {
	return lane%4*f.packed + j + f.depth/2*r, lane / 4
}

// d returns the row and column of lane's register r of D.
func (f fragments) d(lane, r int) (row, column int) { return lane/4 + 8*(r/2), lane%4*2 + r%2 }

// word packs the numbers of a register, which the format holds as they are.
func (f fragments) word(at func(j int) float32) uint32 {
	if f.packed == 1 {
		return math.Float32bits(at(0))
	}
	return math.Float32bits(at(0))>>16 | math.Float32bits(at(1))&0xffff0000
}

// multiply returns C [16,8] + A [16,k] B [k,8] of numbers that the format holds,
// k being a multiple of the depth.
func (f fragments) multiply(t *testing.T, b *table, A, B func(i, j int) float32, C func(i, j int) float32, steps int) [16][8]float32 {
	t.Helper()
	var as, bs []uint32
	for step := range steps {
		from := step * f.depth
		for lane := range 32 {
			for r := range 4 {
				as = append(as, f.word(func(j int) float32 { row, k := f.a(lane, r, j); return A(row, from+k) }))
			}
			for r := range 2 {
				bs = append(bs, f.word(func(j int) float32 { k, column := f.b(lane, r, j); return B(from+k, column) }))
			}
		}
	}
	var ds []float32
	for lane := range 32 {
		for r := range 4 {
			ds = append(ds, C(f.d(lane, r)))
		}
	}
	at := b.floats(t, ds, 0)
	b.probe(t, f.name, 0, fill(t, b, as, 4, 0), fill(t, b, bs, 4, 0), at, int32(steps))
	var d [16][8]float32
	for i, v := range b.read(t, at, 128) {
		row, column := f.d(i/4, i%4)
		d[row][column] = v
	}
	return d
}

func zero(i, j int) float32 { return 0 }

// TestFragments: every number of A meets the number of B that it should, and the
// sum goes where it should. Products of small integers are exact in any order.
func TestFragments(t *testing.T) {
	b := newTable(t)
	A := func(i, k int) float32 { return float32((7*i+3*k)%11 - 5) }
	B := func(k, j int) float32 { return float32((5*k+2*j)%13 - 6) }
	C := func(i, j int) float32 { return float32(100*i + j) }
	for _, f := range fragmentKinds {
		for _, steps := range []int{1, 3} {
			for i, row := range f.multiply(t, b, A, B, C, steps) {
				for j, got := range row {
					want := C(i, j)
					for k := range steps * f.depth {
						want += A(i, k) * B(k, j)
					}
					if got != want {
						t.Errorf("%s, %d steps: element %d,%d is %v, want %v", f.name, steps, i, j, got, want)
					}
				}
			}
		}
	}
}

// TestProductSums: sums are float32 sums, of which every addend may be cut off, and keep their bits when the factors
// change places, on which attention of great logits rests.
func TestProductSums(t *testing.T) {
	const steps = 8
	b := newTable(t)
	draw := rand.New(rand.NewPCG(1, 2))
	for _, f := range fragmentKinds {
		var x [16][16 * steps]float32
		var y [16 * steps][16]float32
		for k := range steps * f.depth {
			for i := range 16 {
				x[i][k] = bf16.rounded([]float32{float32(draw.NormFloat64())})[0]
				y[k][i] = bf16.rounded([]float32{float32(draw.NormFloat64())})[0]
			}
		}
		turned := f.multiply(t, b, func(i, k int) float32 { return y[k][i] }, func(k, j int) float32 { return x[j][k] }, zero, steps)
		for i, row := range f.multiply(t, b, func(i, k int) float32 { return x[i][k] }, func(k, j int) float32 { return y[k][j] }, zero, steps) {
			for j, got := range row {
				want, size := 0.0, 0.0
				for k := range steps * f.depth {
					p := float64(x[i][k]) * float64(y[k][j])
					want, size = want+p, size+math.Abs(p)
				}
				if math.Abs(float64(got)-want) > 2*math.Exp2(-23)*float64(steps*f.depth)*size {
					t.Errorf("%s: element %d,%d is %v, want %v", f.name, i, j, got, want)
				}
				if i < 8 && turned[j][i] != got {
					t.Errorf("%s: element %d,%d is %v, and %v with the factors in each other's place", f.name, i, j, got, turned[j][i])
				}
			}
		}
	}
}

// TestLastPlaceOfSums tells whether sums are rounded to nearest or cut off. The
// emulated driver does as it is told, and a device as it likes.
func TestLastPlaceOfSums(t *testing.T) {
	b := newTable(t)
	unit := float32(math.Exp2(-23))
	for _, f := range fragmentKinds {
		// 1, and then three quarters of a unit in its last place.
		x := func(_, k int) float32 { return map[int]float32{0: 1, f.depth: 0.75}[k] }
		y := func(k, _ int) float32 { return map[int]float32{0: 1, f.depth: unit}[k] }
		got := f.multiply(t, b, x, y, zero, 2)[0][0]
		t.Logf("%s: 1 + 0.75 u = 1 + %g u", f.name, (got-1)/unit)
		want := map[string]float32{"truncate": 1}[os.Getenv("EDM_EMULATOR_SUMS")]
		if want == 0 {
			want = 1 + unit
		}
		if emulated := strings.Contains(b.Backend.String(), "emulated"); emulated && got != want || !emulated && got != 1 && got != 1+unit {
			t.Errorf("%s: 1 + 0.75 u = %v", f.name, got)
		}
	}
}

// TestMatrices: lane l gets, of each matrix, columns 2(l%4) and 2(l%4)+1 of row l/4,
// or rows and column where it is transposed.
func TestMatrices(t *testing.T) {
	b := newTable(t)
	number := func(matrix, row, column int) uint32 { return uint32(64*matrix + 8*row + column) }
	pair := func(low, high uint32) uint32 { return low | high<<16 }
	var x []uint32
	for i := range 128 {
		matrix, row, column := i/32, i/4%8, i%4*2
		x = append(x, pair(number(matrix, row, column), number(matrix, row, column+1)))
	}
	straight, transposed := fill(t, b, make([]uint32, 128), 4, 0), fill(t, b, make([]uint32, 128), 4, 0)
	b.probe(t, "probe_matrices", 0, fill(t, b, x, 4, 0), straight, transposed)
	turned := words[uint32](t, b, transposed, 128)
	for i, got := range words[uint32](t, b, straight, 128) {
		lane, matrix := i/4, i%4
		group, first := lane/4, lane%4*2
		if want := pair(number(matrix, group, first), number(matrix, group, first+1)); got != want {
			t.Errorf("lane %d, matrix %d: %#x, want %#x", lane, matrix, got, want)
		}
		if want := pair(number(matrix, first, group), number(matrix, first+1, group)); turned[i] != want {
			t.Errorf("lane %d, matrix %d transposed: %#x, want %#x", lane, matrix, turned[i], want)
		}
	}
}
