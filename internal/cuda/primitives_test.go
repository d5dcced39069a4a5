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
