//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// headSize is the size of attention: channels of a head, height and width.
type headSize struct{ channels, height, width int }

// headSizes cross the borders of tiles, slices, panels and groups of panels.
func headSizes() []headSize {
	var all []headSize
	for _, s := range [][2]int{{1, 1}, {3, 5}, {4, 4}, {1, 17}, {8, 8}, {5, 13}} {
		for _, c := range []int{1, 3, 8, 20, 64, 128, 200} {
			all = append(all, headSize{c, s[0], s[1]})
		}
	}
	return append(all, headSize{20, 32, 32}, headSize{65, 16, 16}, headSize{257, 3, 3}, headSize{512, 1, 5})
}

// attentionKernel returns an attention problem's kernel.
func attentionKernel(t *testing.T, p precision, q optest.Problem) kernel {
	t.Helper()
	k, err := attention(p, q.Call)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// allRounded returns the problem with inputs that a precision holds as they are.
func allRounded(p precision, q optest.Problem) optest.Problem {
	inputs := make([]engine.Buffer, len(q.Inputs))
	for i, in := range q.Inputs {
		inputs[i].F32 = p.rounded(in.F32)
	}
	q.Inputs = inputs
	return q
}

// TestAttention: every operation is near its definition. Of inputs that a
// precision holds as they are logits are exact but for the rounding of sums, and
// only weights are rounded. Great logits would enlarge the rounding of others.
func TestAttention(t *testing.T) {
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		for i, s := range headSizes() {
			heads := 1 + i%2
			for _, c := range optest.HeadCases(t, 1, heads*s.channels, s.height, s.width, heads) {
				q := allRounded(p, c.Problem)
				t.Run(describe(q), func(t *testing.T) {
					got, want := b.compute(t, attentionKernel(t, p, q), q, 0), q.Exact()
					if _, logits := q.Spec.(op.AttnLSE); logits || p == fp32 {
						optest.Near(t, got, want, max(c.Tolerance, summed(p, q)))
						return
					}
					optest.NearRows(t, got, want, s.height*s.width, loosely(p))
					if e := meanError(got, want); !(e <= loosely(p)/4) {
						t.Errorf("error %.2e of the root mean square, want at most %.2e", e, loosely(p)/4)
					}
				})
			}
		}
	})
}

// meanError returns the root mean square of the errors relative to that of want.
func meanError(got []float32, want []float64) float64 {
	var errors, squares float64
	for i, v := range want {
		errors += (float64(got[i]) - v) * (float64(got[i]) - v)
		squares += v * v
	}
	return math.Sqrt(errors / squares)
}

// TestAttentionRounds: factors are rounded to nearest.
func TestAttentionRounds(t *testing.T) {
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		for _, c := range []int{3, 40, 130} {
			q := optest.HeadCases(t, 2, c, 3, 23, 1)[0].Problem
			got := b.compute(t, attentionKernel(t, p, q), q, 0)
			optest.Near(t, got, allRounded(p, q).Exact(), max(summed(p, q), loosely(p)/20))
		}
	})
}

// TestAttentionBits: results have the same bits for an image alone, where nothing
// is aligned, and a second time.
func TestAttentionBits(t *testing.T) {
	const batch = 3
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		for _, s := range []headSize{{20, 4, 18}, {70, 3, 3}, {136, 8, 8}} {
			for _, c := range optest.HeadCases(t, batch, 2*s.channels, s.height, s.width, 2) {
				q := c.Problem
				k := attentionKernel(t, p, q)
				want := b.compute(t, k, q, 0)
				optest.SameBits(t, describe(q)+" again", b.compute(t, k, q, 0), want)
				optest.SameBits(t, describe(q)+" not aligned", b.compute(t, k, q, 1), want)
				for n := range batch {
					one := q.One(t, n, batch)
					size := len(want) / batch
					optest.SameBits(t, describe(one)+" alone", b.compute(t, attentionKernel(t, p, one), one, 0), want[n*size:(n+1)*size])
				}
			}
		}
	})
}

// TestAttentionOfGreatLogits: exponentials of great logits overflow, and so do
// those of minus the log-sum-exp where all logits are far below zero. Weights add
// up to one all the same, so that values of one give ones and gradients are finite.
func TestAttentionOfGreatLogits(t *testing.T) {
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		greatLogits(t, b, p, func(normal float32, _ int) float32 { return 30 * normal })
		greatLogits(t, b, p, func(_ float32, part int) float32 { return float32(30 - 60*part) })
	})
}

// greatLogits tests one set of q (part 0) and k, made of normal numbers.
func greatLogits(t *testing.T, b *table, p precision, element func(normal float32, part int) float32) {
	t.Helper()
	const channels, pixels = 24, 70
	qkv := tensor.Shape{1, 3 * channels, 1, pixels}
	lse := optest.New(t, op.AttnLSE{Heads: 1}, qkv)
	for i, v := range lse.Inputs[0].F32 {
		if part := i / pixels % 3; part < 2 {
			lse.Inputs[0].F32[i] = element(v, part)
		} else {
			lse.Inputs[0].F32[i] = 1
		}
	}
	out := optest.New(t, op.Attn{Heads: 1}, qkv, lse.Out)
	out.Inputs = []engine.Buffer{lse.Inputs[0], {F32: b.compute(t, attentionKernel(t, p, lse), lse, 0)}}
	y := b.compute(t, attentionKernel(t, p, out), out, 0)
	ones := make([]float64, len(y))
	for i := range ones {
		ones[i] = 1
	}
	optest.Near(t, y, ones, max(1e-3, loosely(p)))

	grad := optest.New(t, op.AttnGrad{Heads: 1}, out.Out, qkv, lse.Out, out.Out)
	grad.Inputs = []engine.Buffer{grad.Inputs[0], out.Inputs[0], out.Inputs[1], {F32: y}}
	for i, v := range b.compute(t, attentionKernel(t, p, grad), grad, 0) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			t.Fatalf("gradient %d is %v", i, v)
		}
	}
}

// TestAttentionSpoils: a NaN in the input shows in every result that depends on it.
func TestAttentionSpoils(t *testing.T) {
	b := newTable(t)
	everyPrecision(t, func(t *testing.T, p precision) {
		for i, c := range optest.HeadCases(t, 1, 8, 2, 40, 1) {
			q := c.Problem
			qkv := min(i, 2) / 2  // the gradient's second input
			for part := range 2 { // q and k
				spoilt := append([]float32(nil), q.Inputs[qkv].F32...)
				spoilt[part*80+70] = float32(math.NaN())
				r := q
				r.Inputs = append([]engine.Buffer(nil), q.Inputs...)
				r.Inputs[qkv] = engine.Buffer{F32: spoilt}
				if got := b.compute(t, attentionKernel(t, p, r), r, 0); !math.IsNaN(float64(got[70])) {
					t.Errorf("%s: a NaN in part %d gives %v", describe(q), part, got[70])
				}
			}
		}
	})
}

// TestAttentionPlans: every size has a plan within the shared memory of all
// devices, whose kernels exist, and every kernel is of some plan.
func TestAttentionPlans(t *testing.T) {
	data, err := os.ReadFile("kernels/attention.cu")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:\w+\(|EXPORT\()(attention_\w+)[,)]`).FindAllStringSubmatch(string(data), -1) {
		used[m[1]] = false
	}
	everyPrecision(t, func(t *testing.T, p precision) {
		for _, c := range []int{1, 63, 64, 65, 128, 129, 256, 257, 512, 2000} {
			for _, pixels := range []int{1, 64, 65, 4096} {
				qkv, y, lse := tensor.Shape{2, 6 * c, 1, pixels}, tensor.Shape{2, 2 * c, 1, pixels}, tensor.Shape{2, 2, pixels}
				for _, call := range []engine.Call{
					{Spec: op.AttnLSE{Heads: 2}, In: []tensor.Shape{qkv}, Out: lse},
					{Spec: op.Attn{Heads: 2}, In: []tensor.Shape{qkv, lse}, Out: y},
					{Spec: op.AttnGrad{Heads: 2}, In: []tensor.Shape{y, qkv, lse, y}, Out: qkv},
				} {
					k, err := attention(p, call)
					if err != nil {
						t.Fatalf("%v: %v", call, err)
					}
					for _, l := range k.launches(operands{in: make([]pointer, 4)}) {
						used[l.name] = true
						h, ok := productHead(t, l)
						checkArguments(t, h, ok, l)
					}
				}
			}
		}
	})
	for name, ok := range used {
		if !ok {
			t.Errorf("no plan has %s", name)
		}
	}
}

// TestAttentionRefuses: shapes that are no heads, and more blocks than a launch
// holds, are errors that say what was expected.
func TestAttentionRefuses(t *testing.T) {
	for _, c := range []struct {
		heads int
		qkv   tensor.Shape
		want  string
	}{
		{2, tensor.Shape{1, 9, 2, 2}, "multiple of 6"},
		{0, tensor.Shape{1, 9, 2, 2}, "0 heads"},
		{1, tensor.Shape{1, 3, 2}, "[N,C,H,W]"},
		{1, tensor.Shape{1 << 20, 3, 512, 512}, "smaller batch"},
		{1, tensor.Shape{1, 3, 1 << 15, 1 << 15}, "smaller batch or image"},
	} {
		_, err := attention(fp32, engine.Call{Spec: op.AttnLSE{Heads: c.heads}, In: []tensor.Shape{c.qkv}})
		if err == nil || !regexp.MustCompile(regexp.QuoteMeta(c.want)).MatchString(fmt.Sprint(err)) {
			t.Errorf("%d heads of %v: %v, want an error with %q", c.heads, c.qkv, err, c.want)
		}
	}
}
