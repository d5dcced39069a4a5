//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/ref"
	"edm/internal/testkit/drivertest"
	"edm/internal/testkit/optest"
)

// table is a device on which tests run single kernels.
type table struct {
	Backend
	stream *driver.Stream
	heads  map[string]map[string]head // of the kernels of each module met
}

func newTable(t *testing.T) *table {
	t.Helper()
	b := &table{Backend: Backend{device: drivertest.Open(t)}, heads: map[string]map[string]head{}}
	var err error
	if b.stream, err = b.device.NewStream(); err != nil {
		t.Fatal(err)
	}
	b.modules.init(b.device)
	return b
}

// fill returns device memory with the contents of x, shift elements behind the
// beginning of an allocation.
func fill[T driver.Element](t *testing.T, b *table, x []T, size, shift int) pointer {
	t.Helper()
	start, err := b.device.Alloc(int64((len(x) + shift) * size))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.device.Free(start); err != nil {
			t.Error(err)
		}
	})
	at := start + uint64(shift*size)
	if err := driver.Upload(b.device, at, x); err != nil {
		t.Fatal(err)
	}
	return pointer(at)
}

// floats is fill for float32.
func (b *table) floats(t *testing.T, x []float32, shift int) pointer {
	t.Helper()
	return fill(t, b, x, 4, shift)
}

// inputs is fill for each of several arrays.
func (b *table) inputs(t *testing.T, arrays []engine.Buffer, shift int) []pointer {
	t.Helper()
	var at []pointer
	for _, in := range arrays {
		if in.I64 != nil {
			at = append(at, fill(t, b, in.I64, 8, shift))
		} else {
			at = append(at, b.floats(t, in.F32, shift))
		}
	}
	return at
}

// unwritten is floats of n times not-a-number, of the bits that the emulated driver
// takes for memory to which nothing was written.
func (b *table) unwritten(t *testing.T, n, shift int) pointer {
	t.Helper()
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(0x7fedfeed)
	}
	return b.floats(t, x, shift)
}

// read returns n float32.
func (b *table) read(t *testing.T, at pointer, n int) []float32 {
	t.Helper()
	x := make([]float32, n)
	if err := driver.Download(b.device, x, uint64(at)); err != nil {
		t.Fatal(err)
	}
	return x
}

// start runs launches.
func (b *table) start(t *testing.T, launches []launch) {
	t.Helper()
	for _, l := range launches {
		if b.heads[l.module] == nil {
			b.heads[l.module] = heads(t, l.module)
		}
		h, ok := b.heads[l.module][l.name]
		checkArguments(t, h, ok, l)
		err := b.alone(l, func(r *ready) error {
			if err := r.start(b.stream); err != nil {
				return err
			}
			return b.stream.Synchronize()
		})
		if err != nil {
			t.Fatalf("kernel %s.%s: %v", l.module, l.name, err)
		}
	}
}

// manner is how a test runs a problem.
type manner struct {
	over  int            // input that the output overwrites, or -1
	shift int            // of all arrays, in elements: 1 leaves none aligned
	edit  func([]launch) // changes the launches
}

// run returns the result of a problem.
func (b *table) run(t *testing.T, p optest.Problem, how manner) []float32 {
	t.Helper()
	k, err := newKernel(target{precision: fp32}, p.Call)
	if err != nil {
		t.Fatal(err)
	}
	var o operands
	o.in = b.inputs(t, p.Inputs, how.shift)
	n := p.Out.TotalSize()
	if how.over >= 0 {
		o.out = o.in[how.over]
	} else {
		o.out = b.unwritten(t, n, how.shift)
	}
	if w := k.workspace(); w > 0 {
		o.work = b.unwritten(t, w, how.shift)
	}
	launches := k.launches(o)
	if how.edit != nil {
		how.edit(launches)
	}
	b.start(t, launches)
	return b.read(t, o.out, n)
}

// boundByMemory reports whether an operation is one of the kernels of norm.cu,
// pointwise.cu, resample.cu, reduce.cu and embedding.cu.
func boundByMemory(t *testing.T, c engine.Call) bool {
	t.Helper()
	for _, family := range []func(precision, engine.Call) (kernel, error){norms, pointwise, images, vectors} {
		k, err := family(fp32, c)
		if err != nil {
			t.Fatal(err)
		}
		if k != nil {
			return true
		}
	}
	return false
}

// boundCases returns the cases of such operations.
func boundCases(t *testing.T, n, c, h, w int) []optest.Case {
	t.Helper()
	all := append(optest.Cases(t, n, c, h, w), optest.VectorCases(t, n, c, h, w)...)
	return slices.DeleteFunc(all, func(c optest.Case) bool { return !boundByMemory(t, c.Call) })
}

func TestBoundByMemory(t *testing.T) {
	b := newTable(t)
	sizes := append(optest.Sizes(), [4]int{1, 8, 33, 65}, [4]int{3, 4, 2, 128})
	for _, s := range sizes {
		for _, c := range boundCases(t, s[0], s[1], s[2], s[3]) {
			t.Run(c.String(), func(t *testing.T) {
				optest.Near(t, b.run(t, c.Problem, manner{over: -1}), c.Exact(), c.Tolerance)
			})
		}
	}
}

// TestNormChunks has groups of several chunks, in the last of them a single
// element or all.
func TestNormChunks(t *testing.T) {
	b := newTable(t)
	for _, s := range [][4]int{{2, 4, 16, 128}, {1, 4, 3, 683}, {1, 8, 64, 65}} {
		for _, c := range optest.NormCases(t, s[0], s[1], s[2], s[3]) {
			t.Run(c.String(), func(t *testing.T) {
				optest.Near(t, b.run(t, c.Problem, manner{over: -1}), c.Exact(), c.Tolerance)
			})
		}
	}
}

// TestAlignment: arrays that begin anywhere give the bits of aligned ones.
func TestAlignment(t *testing.T) {
	b := newTable(t)
	for _, s := range [][4]int{{2, 8, 6, 6}, {1, 12, 8, 16}} {
		for _, c := range boundCases(t, s[0], s[1], s[2], s[3]) {
			want := b.run(t, c.Problem, manner{over: -1})
			optest.SameBits(t, c.String(), b.run(t, c.Problem, manner{over: -1, shift: 1}), want)
		}
	}
}

// TestOverInputs: an operation that may overwrite an input gives the same bits.
func TestOverInputs(t *testing.T) {
	b := newTable(t)
	for _, s := range [][4]int{{2, 8, 5, 7}, {2, 8, 4, 16}} {
		for _, c := range boundCases(t, s[0], s[1], s[2], s[3]) {
			in, ok := c.Spec.(op.InPlacer)
			if !ok {
				continue
			}
			want := b.run(t, c.Problem, manner{over: -1})
			for _, i := range in.InPlace() {
				optest.SameBits(t, fmt.Sprintf("%v over input %d", c, i), b.run(t, c.Problem, manner{over: i}), want)
			}
		}
	}
}

// TestImagesAlone: an image's result has the same bits whatever its batch.
func TestImagesAlone(t *testing.T) {
	b := newTable(t)
	const batch = 3
	for _, c := range boundCases(t, batch, 20, 9, 18) {
		if !c.Images {
			continue
		}
		together := b.run(t, c.Problem, manner{over: -1})
		size := len(together) / batch
		for _, n := range []int{0, 2} {
			alone := b.run(t, c.One(t, n, batch), manner{over: -1})
			optest.SameBits(t, fmt.Sprintf("%v image %d alone", c, n), alone, together[n*size:(n+1)*size])
		}
	}
}

// TestTurns: blocks that are fewer than an array wants take several turns.
func TestTurns(t *testing.T) {
	b := newTable(t)
	changed, turned := false, 0
	fewer := func(launches []launch) {
		for i, l := range launches {
			if l.module == "pointwise" {
				launches[i].grid[0] = parts(l.grid[0], 3)
				changed = changed || l.grid[0] > 1
			}
		}
	}
	for _, c := range boundCases(t, 2, 8, 31, 33) {
		changed = false
		if got := b.run(t, c.Problem, manner{over: -1, edit: fewer}); changed {
			turned++
			optest.SameBits(t, c.String(), got, b.run(t, c.Problem, manner{over: -1}))
		}
	}
	if turned < 10 {
		t.Errorf("%d operations took several turns, want 10 at least", turned)
	}
	for _, p := range optest.DropoutProblems(t) {
		optest.SameBits(t, "dropout", b.run(t, p, manner{over: -1, edit: fewer}), p.Run(t, engine.Portable{}))
	}
}

// TestDropout: masks are those of the definition, bit for bit.
func TestDropout(t *testing.T) {
	b := newTable(t)
	for _, p := range optest.DropoutProblems(t) {
		want := p.Run(t, engine.Portable{})
		for _, how := range []manner{{over: -1}, {over: 0}, {over: -1, shift: 1}} {
			optest.SameBits(t, fmt.Sprintf("dropout %v %v", p.Out, how), b.run(t, p, how), want)
		}
	}
}

// TestFourierRoundsAngles: the products that are angles are float32, as the
// definition has them for float32, also where they are many turns.
func TestFourierRoundsAngles(t *testing.T) {
	b := newTable(t)
	p := optest.New(t, op.Fourier{}, []int{5}, []int{33})
	for i := range p.Inputs[1].F32 {
		p.Inputs[1].F32[i] *= 16 * 100
	}
	want := optest.Widened(p.Run(t, engine.Portable{}))
	optest.Near(t, b.run(t, p, manner{over: -1}), want, 2e-7)
}

// TestCrossEntropyOfGreatLogits: their exponentials overflow.
func TestCrossEntropyOfGreatLogits(t *testing.T) {
	b := newTable(t)
	z, target := []float32{1000, 0, -1000, 3, 3, 3}, []float32{0, 0.5, 0.5, 1, 0, 0}
	for _, p := range []optest.Problem{
		optest.New(t, op.CrossEntropy{}, []int{2, 3}, []int{2, 3}),
		optest.New(t, op.CrossEntropyGrad{}, []int{2, 3}, []int{2, 3}, []int{2}),
	} {
		p.Inputs[0].F32, p.Inputs[1].F32 = z, target
		optest.Near(t, b.run(t, p, manner{over: -1}), p.Exact(), 1e-6)
	}
}

// flatSizes are lengths of flat buffers that end in every part of a loop.
func flatSizes() []int {
	return []int{1, 3, 4, 1023, quad*mapThreads + 1, squaresPart - 1, squaresPart + 1, 3*squaresPart + 5}
}

func TestAdamKernel(t *testing.T) {
	b := newTable(t)
	u := engine.Update{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 0.5, EMABeta: 0.95}
	for i, n := range flatSizes() {
		var exact [4][]float64 // weights, average, moments
		var at [4]pointer
		for j := range exact {
			x := make([]float32, n)
			if j < 2 {
				x = optest.Normal(uint64(j), n)
			}
			exact[j], at[j] = optest.Widened(x), b.floats(t, x, i%2)
		}
		for step := range 3 {
			g := optest.Normal(uint64(3+step), n)
			u.Step = int64(step + 1)
			control := []float32{0.5, 0.9, float32(1 - u.Beta1), 0.999, float32(1 - u.Beta2),
				float32(u.LR / (1 - math.Pow(u.Beta1, float64(u.Step)))), float32(1 / math.Sqrt(1-math.Pow(u.Beta2, float64(u.Step)))),
				1e-8, 0.95}
			b.start(t, adamLaunch(at[0], at[1], at[2], at[3], b.floats(t, g, i%2), b.floats(t, control, 0), n))
			ref.Adam(u, exact[0], exact[1], exact[2], exact[3], optest.Widened(g))
		}
		for j := range exact {
			optest.Near(t, b.read(t, at[j], n), exact[j], 1e-6)
		}
	}
}

func TestFlatSums(t *testing.T) {
	b := newTable(t)
	square := func(x []float32, shift int) float64 {
		partial := fill(t, b, make([]float64, sumSquaresPartials(len(x))), 8, 0)
		result := fill(t, b, []float64{-1}, 8, 0)
		b.start(t, sumSquaresLaunches(b.floats(t, x, shift), partial, result, len(x)))
		y := make([]float64, 1)
		if err := driver.Download(b.device, y, uint64(result)); err != nil {
			t.Fatal(err)
		}
		return y[0]
	}
	for _, n := range flatSizes() {
		x := optest.Normal(1, n)
		got, want := square(x, 0), ref.SumSquares(x)
		if math.Abs(got-want) > 1e-12*want {
			t.Errorf("sum of squares of %d elements: %v, want %v", n, got, want)
		}
		if moved := square(x, 1); moved != got {
			t.Errorf("sum of squares of %d elements: %v, and %v where they are not aligned", n, got, moved)
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			y := slices.Clone(x)
			y[n-1] = float32(bad)
			if s := square(y, 0); !math.IsNaN(s) && !math.IsInf(s, 0) {
				t.Errorf("sum of squares of %d elements, the last %v: %v", n, bad, s)
			}
		}
		y, sum := optest.Normal(2, n), optest.Normal(2, n)
		ref.Add(sum, sum, x)
		at := b.floats(t, y, 0)
		b.start(t, accumulateLaunch(at, b.floats(t, x, 0), n))
		optest.SameBits(t, "sum", b.read(t, at, n), sum)
	}
	// Squares that float32 does not hold.
	if got, want := square([]float32{1e30, 1e-30}, 0), 1e60; math.Abs(got-want) > 1e-7*want {
		t.Errorf("sum of great squares: %v, want about %v", got, want)
	}
}
