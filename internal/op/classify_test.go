package op_test

import (
	"math"
	"testing"

	"gorgonia.org/tensor"

	"edm/internal/op"
)

// Cross-entropy of known probabilities, and of logits whose exponentials
// overflow.
func TestCrossEntropy(t *testing.T) {
	ln := math.Log
	z := []float64{ln(0.5), ln(0.25), ln(0.25), 1000, 0, -1000}
	target := []float64{0, 1, 0, 0, 0.5, 0.5}
	out, grad := make([]float64, 2), make([]float64, 6)
	shape := tensor.Shape{2, 3}
	op.CrossEntropy{}.Eval64(&op.Args[float64]{Out: out, In: [][]float64{z, target}, InShape: []tensor.Shape{shape, shape}})
	for i, want := range []float64{ln(4), 1500} {
		if math.Abs(out[i]-want) > 1e-12*want {
			t.Errorf("row %d: %v, want %v", i, out[i], want)
		}
	}
	op.CrossEntropyGrad{}.Eval64(&op.Args[float64]{Out: grad, In: [][]float64{z, target, {2, 1}}, InShape: []tensor.Shape{shape, shape, {2}}})
	for i, want := range []float64{1, -1.5, 0.5, 1, -0.5, -0.5} {
		if math.Abs(grad[i]-want) > 1e-12 {
			t.Errorf("gradient %d: %v, want %v", i, grad[i], want)
		}
	}
}
