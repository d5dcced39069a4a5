package cpu

import (
	"fmt"
	"math"
	"testing"

	"edm/internal/testkit/optest"
)

// framed is a rows x cols matrix inside NaNs, its rows stride apart: what reads
// outside of it and uses it shows.
func framed(seed uint64, rows, cols, stride int) []float32 {
	m := make([]float32, max(rows*stride, 1))
	for i := range m {
		m[i] = float32(math.NaN())
	}
	values := optest.Normal(seed, rows*cols)
	for i := range rows {
		copy(m[i*stride:], values[i*cols:(i+1)*cols])
	}
	return m[: max(rows-1, 0)*stride+cols : max(rows-1, 0)*stride+cols]
}

// productCase is a product with the options of one of its uses.
type productCase struct {
	m, n, depth int
	form        int // of the options, 0 to 5
}

const productForms = 6

// build returns the product over fresh matrices, C filled with ones.
func (c productCase) build() *product {
	p := &product{m: c.m, n: c.n, depth: c.depth, bStep: c.n + 5, ldc: c.n + 3}
	p.a, p.aRow, p.aStep = framed(1, c.m, c.depth, c.depth+2), c.depth+2, 1
	p.b, p.c = framed(2, c.depth, c.n, p.bStep), make([]float32, (c.m-1)*p.ldc+c.n)
	for i := range p.c {
		p.c[i] = 1
	}
	switch c.form {
	case 1:
		p.a, p.aRow, p.aStep = framed(1, c.depth, c.m, c.m+2), 1, c.m+2
	case 2:
		p.accumulate = true
	case 3:
		p.finish, p.scale, p.add, p.residual = true, 0.5, optest.Normal(3, c.m), framed(4, c.m, c.n, p.ldc)
	case 4:
		p.finish, p.scale, p.shift = true, -0.5, optest.Normal(3, c.n)
	case 5:
		p.accumulate, p.finish, p.scale = true, true, 2
		p.ahead = newFetchPlan(p)
	}
	return p
}

// exact returns what C must become, by definition.
func (p *product) exact() []float64 {
	want := make([]float64, len(p.c))
	for i := range want {
		want[i] = float64(p.c[i])
	}
	for i := range p.m {
		for j := range p.n {
			var sum float64
			for k := range p.depth {
				sum += float64(p.a[i*p.aRow+k*p.aStep]) * float64(p.b[k*p.bStep+j])
			}
			at := i*p.ldc + j
			if p.accumulate {
				sum += want[at]
			}
			if p.finish {
				sum *= float64(p.scale)
			}
			if p.add != nil {
				sum += float64(p.add[i])
			}
			if p.shift != nil {
				sum += float64(p.shift[j])
			}
			if p.residual != nil {
				sum += float64(p.scale) * float64(p.residual[at])
			}
			want[at] = sum
		}
	}
	return want
}

func (p *product) run(k *kernels) []float32 {
	var s tileScratch
	work := make([]float32, tileScratchLen)
	for i := range work {
		work[i] = float32(math.NaN())
	}
	s.take(work)
	k.multiplyAll(p, &s)
	return p.c
}

// productCases cross the borders of tiles, of blocks of the sum, of groups of
// columns and, the last two, of blocks of rows.
func productCases(k *kernels) (all []productCase) {
	form := 0
	add := func(m, n, depth int) {
		all = append(all, productCase{m, n, depth, form % productForms})
		form++
	}
	for _, m := range []int{1, k.rows - 1, k.rows, k.rows + 1, 3*k.rows + 7} {
		for _, n := range []int{1, k.lanes - 1, k.lanes, 2*k.lanes + 1, 3 * k.lanes, 3*k.lanes + 1, groupColumns + 7} {
			for _, depth := range []int{1, 3, 4, 5, stepsL1 - 1, stepsL1, stepsL1 + 1} {
				add(m, n, depth)
			}
		}
	}
	for form := range productForms {
		all = append(all, productCase{67, 50, 3*stepsL1 + 7, form}, productCase{131, 49, floatsL2 / 64, form})
	}
	return all
}

func TestProduct(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, c := range productCases(k) {
			t.Run(fmt.Sprintf("%dx%dx%d/%d", c.m, c.n, c.depth, c.form), func(t *testing.T) {
				p := c.build()
				want := p.exact()
				optest.Near(t, p.run(k), want, 3e-6)
			})
		}
	})
}

// TestProductsAgree holds AVX2 and AVX-512 to equal bits, with and without
// lines to fetch.
func TestProductsAgree(t *testing.T) {
	all := implementations()
	if len(all) == 1 {
		return // no two sets of instructions to compare
	}
	for _, c := range productCases(all[0]) {
		want := c.build().run(all[0])
		for _, k := range all[:len(all)-1] {
			p := c.build()
			p.ahead = newFetchPlan(p)
			p.next = [3][]float32{p.b, p.c, p.residual}
			optest.SameBits(t, fmt.Sprintf("%s %+v", k.name, c), p.run(k), want)
		}
	}
}

// TestTilePanels: a tile of several panels with a packed copy of B and a list of
// lines gives what one without them gives.
func TestTilePanels(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		const depth, panels = 37, 3
		for vectors := 1; vectors <= maxVectors; vectors++ {
			cols := vectors * k.lanes
			a, b := optest.Normal(1, panels*k.rows*depth), optest.Normal(2, depth*cols)
			lines := make([]int32, depth)
			for i := range lines {
				lines[i] = int32(i * cols)
			}
			run := func(change func(t *tileArgs)) []float32 {
				args := tileArgs{
					a: a, aRow: depth, aStep: 1, b: b, bStep: cols, depth: depth, panels: panels,
					c: make([]float32, panels*k.rows*cols), ldc: cols,
				}
				change(&args)
				k.tile[vectors](&args)
				return args.c
			}
			want := run(func(*tileArgs) {})
			packed := make([]float32, depth*cols)
			optest.SameBits(t, "packed", run(func(t *tileArgs) { t.pack = packed }), want)
			optest.SameBits(t, "the copy of B", packed, b)
			for _, pace := range []int{0, 1, 1 << 31, 1<<32 - 1} {
				optest.SameBits(t, "with fetches", run(func(t *tileArgs) { t.ahead, t.lines, t.pace = b, lines, pace }), want)
			}
		}
	})
}

// TestFetcher: every line is handed out once, in order, at an even pace.
func TestFetcher(t *testing.T) {
	lines := func(n int) (all []int32) {
		for i := range n {
			all = append(all, int32(i))
		}
		return all
	}
	for _, n := range [][3]int{{0, 0, 0}, {100, 0, 0}, {7, 300, 41}, {0, 5, 1}, {600, 600, 0}} {
		const calls = 13
		call := tileArgs{panels: 5, depth: 18}
		turns := call.panels * (call.depth / fetchSteps)
		var f fetcher
		var lists fetchLists
		for i := range n {
			lists[i] = fetchList{[]float32{float32(i)}, lines(n[i])}
		}
		f.start(lists, calls*turns)
		var got [3]int
		for range calls {
			f.share(&call)
			if len(call.lines) == 0 {
				continue
			}
			list := int(call.ahead[0])
			if int(call.lines[0]) != got[list] {
				t.Fatalf("%v: list %d goes on with line %d, want %d", n, list, call.lines[0], got[list])
			}
			got[list] += len(call.lines)
			fetched := float64(call.pace) / (1 << 32) * float64(turns*fetchLines)
			if d := fetched - float64(len(call.lines)); d < -1e-3 || d > 1 {
				t.Errorf("%v: a pace of %v lines for %d", n, fetched, len(call.lines))
			}
		}
		if got != n {
			t.Errorf("%v lines were handed out of %v", got, n)
		}
	}
}
