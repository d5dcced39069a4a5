//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// precisions are all of them, targets too.
var (
	precisions = []precision{fp32, tf32, bf16}
	targets    = []target{{precision: fp32}, {precision: tf32}, {precision: bf16}, {precision: bf16, wgmma: true}}
)

// fraction returns the bits of fraction to which a precision rounds factors.
func (p precision) fraction() int { return [...]int{23, 10, 7}[p] }

// rounded rounds x to a precision's factors, ties to even.
func (p precision) rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		drop := 23 - p.fraction()
		bits := math.Float32bits(v)
		if drop > 0 {
			bits += 1<<(drop-1) - 1 + bits>>drop&1
		}
		y[i] = math.Float32frombits(bits >> drop << drop)
	}
	return y
}

// exactly returns the problem with factors, inputs 0 and 1, that a precision holds
// as they are, so that its result is nearly exact.
func exactly(p precision, q optest.Problem) optest.Problem {
	q.Inputs = slices.Clone(q.Inputs)
	for i := range 2 {
		q.Inputs[i].F32 = p.rounded(q.Inputs[i].F32)
	}
	return q
}

// nearly is the error that sums of IEEE multiply-adds in float32 may have.
const nearly = 1e-5

// summed returns the error that the sums of a problem with exact factors may have,
// relative to what optest.Near relates to. In fp32 each step is rounded to nearest.
// Tensor cores may add at least four products to the sum at once and cut all five
// addends, and the result, off at the last place of the greatest: a sum of n products
// then loses 1.5 n units, each half of one on the mean and all of one sign at worst. A
// unit is at most 2^-23 of the greatest sum on the way, which is about twice the
// result's own size and its root mean square together. What is added or scaled
// afterwards loses a few units more. A product that is missing, or in another's place,
// changes a sum by 1/sqrt(n) of the root mean square: a thousand times as much where
// there are a thousand.
func summed(p precision, q optest.Problem) float64 {
	if p == fp32 {
		return nearly
	}
	terms := op.Flops(q.Spec, q.In, q.Out) / 2 / float64(q.Out.TotalSize())
	return math.Exp2(-23) * (1.5*terms + 8)
}

// loosely returns the error that factors rounded to a precision may cause.
func loosely(p precision) float64 { return max(nearly, 8*math.Exp2(-1-float64(p.fraction()))) }

// placed returns where a problem's arrays are on the device, shifted by that many
// elements; the result is not-a-number.
func (b *table) placed(t *testing.T, k kernel, q optest.Problem, shift int) operands {
	t.Helper()
	var o operands
	for _, in := range q.Inputs {
		o.in = append(o.in, b.floats(t, in.F32, shift))
	}
	o.out = b.unwritten(t, q.Out.TotalSize(), shift)
	if w := k.workspace(); w > 0 {
		o.work = b.unwritten(t, w, 0) // of the arena, which is aligned
	}
	return o
}

// compute returns the result of a product's kernel.
func (b *table) compute(t *testing.T, k kernel, q optest.Problem, shift int) []float32 {
	t.Helper()
	o := b.placed(t, k, q, shift)
	b.launchAll(t, k.launches(o))
	return b.read(t, o.out, q.Out.TotalSize())
}

// productUse is a line that makes a kernel by a macro, whose first argument is the
// name, and productMacro such a macro.
var (
	productUse   = regexp.MustCompile(`(?m)^(\w+)\((\w+), .*\)$`)
	productMacro = regexp.MustCompile(`(?m)^#define (\w+)\(name, .*?\) *(KERNEL.*)$`)
)

// productHeads is heads for a module of products.
func productHeads(t *testing.T, module string) map[string]head {
	t.Helper()
	text := sourceText(t, module)
	for _, m := range regexp.MustCompile(`(?m)^#include "(\w+kernels\.cuh)"$`).FindAllStringSubmatch(text, -1) {
		text += productText(t, m[1])
	}
	kinds := map[string]head{}
	for _, m := range productMacro.FindAllStringSubmatch(text, -1) {
		kinds[m[1]] = kernelHeadOf(t, m[2])
	}
	all := heads(t, module)
	for _, m := range productUse.FindAllStringSubmatch(text, -1) {
		if h, ok := kinds[m[1]]; ok {
			all[m[2]] = h
		}
	}
	return all
}

// sourceText returns the source of a module as productText does.
func sourceText(t *testing.T, module string) string {
	t.Helper()
	return productText(t, sourceOf(module))
}

// productText returns a kernel source with the lines that macros continue joined.
func productText(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("kernels/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\\\n", " ")
}

// kernelHeadOf reads the head of a kernel's text.
func kernelHeadOf(t *testing.T, text string) head {
	t.Helper()
	m := kernelHead.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no kernel in %q", text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	h := head{threads: n}
	for _, p := range strings.Split(m[3], ",") {
		words := strings.Fields(strings.ReplaceAll(p, "*", "* "))
		h.parameters = append(h.parameters, strings.Join(words[:len(words)-1], " "))
	}
	return h
}

// productHead returns what the source says of a launch's kernel.
func productHead(t *testing.T, l launch) (head, bool) {
	t.Helper()
	h, ok := productHeads(t, l.module)[l.name]
	return h, ok
}

// launchAll runs launches of kernels that macros make.
func (b *table) launchAll(t *testing.T, launches []launch) {
	t.Helper()
	for _, l := range launches {
		if b.heads[l.module] == nil {
			b.heads[l.module] = productHeads(t, l.module)
		}
	}
	b.start(t, launches)
}

// everyPrecision runs a test for each.
func everyPrecision(t *testing.T, f func(t *testing.T, p precision)) {
	t.Helper()
	for _, p := range precisions {
		t.Run(p.suffix(), func(t *testing.T) { f(t, p) })
	}
}

// targets returns those that the table's device has.
func (b *table) targets() []target {
	return slices.DeleteFunc(slices.Clone(targets), func(to target) bool { return to.wgmma && !hasWGMMA(b.device.Info()) })
}

// everyTarget runs a test for each of them.
func everyTarget(t *testing.T, b *table, f func(t *testing.T, to target)) {
	t.Helper()
	for _, to := range b.targets() {
		t.Run(to.String(), func(t *testing.T) { f(t, to) })
	}
}

// prepared returns a problem's kernel.
func prepared(t *testing.T, to target, q optest.Problem) kernel {
	t.Helper()
	k, err := newKernel(to, q.Call)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// describe names a problem in a report.
func describe(q optest.Problem) string { return fmt.Sprintf("%v%v", op.Op{Spec: q.Spec}, q.In) }

// A sum that lacks one product is further off than what summed allows.
func TestSummedMissesNoProduct(t *testing.T) {
	problems := linearProblems(t, 33, 130, 65)
	for _, size := range []int{1, 3} {
		problems = append(problems, optest.ConvProblems(t, 1, 130, 9, 28, 28, size, false)...)
	}
	for _, q := range problems {
		q = exactly(bf16, q)
		want := q.Exact()
		lacking := exactly(bf16, q)
		lacking.Inputs[0].F32[q.In[0].TotalSize()/2] = 0
		size, far, changed := rootMeanSquare(want), 0, 0
		for i, v := range lacking.Exact() {
			if v == want[i] {
				continue
			}
			changed++
			if math.Abs(v-want[i]) > summed(bf16, q)*(size+math.Abs(want[i])) {
				far++
			}
		}
		if changed == 0 || far < changed*9/10 {
			t.Errorf("%s: of %d sums that lack a product, %d are too far off", describe(q), changed, far)
		}
	}
}

func rootMeanSquare(x []float64) float64 {
	var squares float64
	for _, v := range x {
		squares += v * v
	}
	return math.Sqrt(squares / float64(len(x)))
}
