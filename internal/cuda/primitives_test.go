//go:build gpu

package cuda

import (
	"math"
	"math/rand/v2"
	"testing"

	"edm/internal/cuda/driver"
)

// probe runs a kernel of primitives.cu with one block of 32 threads, or with as
// many blocks of 256 as n elements want.
func (b *table) probe(t *testing.T, name string, n int, args ...any) {
	t.Helper()
	l := launch{module: "primitives", name: name, grid: [3]int{1, 1, 1}, block: [3]int{32, 1, 1}, shared: 4 * 5 * 32, args: args}
	if n > 0 {
		l.grid[0], l.block[0] = parts(n, 256), 256
	}
	b.start(t, []launch{l})
}

// words returns what lies at an address.
func words[T driver.Element](t *testing.T, b *table, at pointer, n int) []T {
	t.Helper()
	x := make([]T, n)
	must(t, driver.Download(b.device, x, uint64(at)))
	return x
}

func TestShuffles(t *testing.T) {
	b := newTable(t)
	v := make([]float64, 32)
	for i := range v {
		v[i] = 1/3. + float64(i) // both halves of the bits differ
	}
	in := fill(t, b, v, 8, 0)
	for _, by := range []int{1, 2, 4, 8, 16} {
		var out [3]pointer
		for i := range out {
			out[i] = fill(t, b, make([]float64, 32), 8, 0)
		}
		b.probe(t, "probe_shuffles", 0, in, out[0], out[1], out[2], int32(by))
		for i, from := range []func(lane int) int{
			func(lane int) int { return lane ^ by },
			func(lane int) int {
				if lane+by > 31 {
					return lane
				}
				return lane + by
			},
			func(lane int) int { return 31 - lane },
		} {
			for lane, got := range words[float64](t, b, out[i], 32) {
				if want := v[from(lane)]; got != want {
					t.Errorf("shuffle %d by %d: lane %d gets %v, want %v of lane %d", i, by, lane, got, want, from(lane))
				}
			}
		}
	}
}

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

// TestProductSums: sums are float32 sums, and keep their bits when the factors
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
				if math.Abs(float64(got)-want) > 1e-6*size {
					t.Errorf("%s: element %d,%d is %v, want %v", f.name, i, j, got, want)
				}
				if i < 8 && turned[j][i] != got {
					t.Errorf("%s: element %d,%d is %v, and %v with the factors in each other's place", f.name, i, j, got, turned[j][i])
				}
			}
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

func TestCopies(t *testing.T) {
	b := newTable(t)
	x := make([]float32, 160)
	for i := range x {
		x[i] = float32(1 + i)
	}
	for _, valid := range []int{0, 1, 19, 32} {
		out := b.unwritten(t, 288, 0)
		b.probe(t, "probe_copies", 0, b.floats(t, x, 0), out, int32(valid))
		y := b.read(t, out, 288)
		for lane := range 32 {
			other := 31 - lane
			for j := range 5 {
				to, from := lane, other
				if j > 0 {
					to, from = 32+4*lane+j-1, 32+4*other+j-1
				}
				want := x[from]
				if other >= valid {
					want = 0
				}
				if y[to] != want {
					t.Errorf("%d valid: lane %d has %v of number %d, want %v", valid, lane, y[to], from, want)
				}
			}
			for j := range 4 {
				if got, want := y[160+4*lane+j], x[32+4*lane+j]; got != want {
					t.Errorf("16 bytes of lane %d: number %d is %v, want %v", lane, j, got, want)
				}
			}
		}
	}
}

// edges are numbers at which rounding and comparing go wrong first.
func edges() []float32 {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	all := []float32{0, 1, 1.5, 1e-40, 1e-38, 3e38, inf, nan, 1.0 / 3, math.Pi}
	for _, bits := range []uint32{0x3f801000, 0x3f803000, 0x3f800fff, 0x3f801001, 0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, 0x7f7fffff} {
		all = append(all, math.Float32frombits(bits)) // ties and their neighbours, and the greatest number
	}
	for _, v := range all {
		all = append(all, -v)
	}
	return all
}

// sameFloat compares bits, but for those of NaN.
func sameFloat(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// TestRounding: tf32 has ties away from zero, bfloat16 ties to even.
func TestRounding(t *testing.T) {
	b := newTable(t)
	x := edges()
	n := len(x)
	single, pair := fill(t, b, make([]uint32, n), 4, 0), fill(t, b, make([]uint32, n), 4, 0)
	b.probe(t, "probe_rounding", 0, b.floats(t, x, 0), single, pair, int32(n))
	pairs := words[uint32](t, b, pair, n)
	for i, bits := range words[uint32](t, b, single, n) {
		got := math.Float32frombits(bits &^ 0x1fff) // what the instruction reads
		want := math.Float32frombits((math.Float32bits(x[i]) + 0x1000) &^ 0x1fff)
		if x[i] != x[i] || math.IsInf(float64(x[i]), 0) {
			want = x[i]
		}
		if !sameFloat(got, want) {
			t.Errorf("tf32 of %v (%#x) is %v, want %v", x[i], math.Float32bits(x[i]), got, want)
		}
		for half, v := range []float32{x[i], x[(i+1)%n]} {
			got, want := math.Float32frombits(pairs[i]>>(16*half)<<16), v
			if v == v {
				want = bf16.rounded([]float32{v})[0]
			}
			if !sameFloat(got, want) {
				t.Errorf("bfloat16 of %v (%#x) is %v, want %v", v, math.Float32bits(v), got, want)
			}
		}
	}
}

func TestArithmetic(t *testing.T) {
	b := newTable(t)
	draw := rand.New(rand.NewPCG(3, 4))
	var x, y, z []float32
	for _, v := range edges() {
		for _, w := range edges() {
			x, y, z = append(x, v), append(y, w), append(z, float32(draw.NormFloat64()))
		}
	}
	n := len(x)
	var out [4]pointer
	args := []any{b.floats(t, x, 0), b.floats(t, y, 0), b.floats(t, z, 0)}
	for i := range out {
		out[i] = b.unwritten(t, n, 0)
		args = append(args, out[i])
	}
	b.probe(t, "probe_arithmetic", 0, append(args, int32(n))...)
	root, sum, least, most := b.read(t, out[0], n), b.read(t, out[1], n), b.read(t, out[2], n), b.read(t, out[3], n)
	for i := range x {
		check := func(what string, got, want float32) {
			if !sameFloat(got, want) && (got != 0 || want != 0) { // the lesser of 0 and -0 is either
				t.Errorf("%s of %v, %v, %v is %v, want %v", what, x[i], y[i], z[i], got, want)
			}
		}
		check("root", root[i], float32(math.Sqrt(math.Abs(float64(x[i])))))
		check("fused sum", sum[i], fusedSum(x[i], y[i], z[i]))
		switch {
		case x[i] != x[i]:
			check("minimum", least[i], y[i])
			check("maximum", most[i], y[i])
		case y[i] != y[i]:
			check("minimum", least[i], x[i])
			check("maximum", most[i], x[i])
		default:
			check("minimum", least[i], min(x[i], y[i]))
			check("maximum", most[i], max(x[i], y[i]))
		}
	}
}

// fusedSum returns a b + c rounded once: float64 holds the product, and a sum
// that it rounds is rounded to odd, so that the second rounding is as good as the
// first.
func fusedSum(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c)
	s := p + q
	if rest := (p - (s - (s - p))) + (q - (s - p)); rest != 0 && rest == rest && math.Float64bits(s)&1 == 0 {
		if (rest > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

// TestFunctions: within a unit in the last place, on the device as on the host.
func TestFunctions(t *testing.T) {
	b := newTable(t)
	var x []float32
	for bits := uint32(0); bits < 0x7f800000; bits += 40009 {
		v := math.Float32frombits(bits)
		x = append(x, v, -v)
	}
	for v := float32(-104); v < 89; v += 0.0137 {
		x = append(x, v)
	}
	n := len(x)
	functions := []struct {
		name  string
		exact func(float64) float64
		limit float64 // of |x|
	}{
		{"exp", math.Exp, math.Inf(1)},
		{"log", func(v float64) float64 { return math.Log(math.Abs(v)) }, math.Inf(1)},
		{"sin", math.Sin, 1 << 31},
		{"cos", math.Cos, 1 << 31},
	}
	args := []any{b.floats(t, x, 0)}
	for range functions {
		args = append(args, b.unwritten(t, n, 0))
	}
	b.probe(t, "probe_functions", n, append(args, int32(n))...)
	for i, f := range functions {
		worst, where := 0.0, float32(0)
		for k, got := range b.read(t, args[1+i].(pointer), n) {
			v := float64(x[k])
			if math.Abs(v) > f.limit {
				continue
			}
			if ulp := ulps(got, f.exact(v)); !(ulp <= worst) {
				worst, where = ulp, x[k]
			}
		}
		t.Logf("%s: %.3f ulp at %v", f.name, worst, where)
		if !(worst <= 1) {
			t.Errorf("%s(%v) is off by %v ulp, want at most 1", f.name, where, worst)
		}
	}
}

// ulps returns the error of got in units in the last place of want.
func ulps(got float32, want float64) float64 {
	if sameFloat(got, float32(want)) {
		return 0
	}
	_, exponent := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exponent-1, -126)-23)
}
