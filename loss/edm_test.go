package loss

import (
	"math"
	"strings"
	"testing"
)

// The draws of consecutive images have the mean and standard deviation of ln
// sigma that were asked for.
func TestDrawsHaveTheDistribution(t *testing.T) {
	l := EDM{PMean: -0.7, PStd: 1.4, SigmaData: 0.5}
	const n = 20000
	var sum, squares float64
	for i := range uint64(n) {
		v := math.Log(l.Draw(3, i))
		sum += v
		squares += v * v
	}
	mean := sum / n
	std := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-l.PMean) > 5*l.PStd/math.Sqrt(n) {
		t.Errorf("mean of ln sigma %.4f, want %g", mean, l.PMean)
	}
	if math.Abs(std-l.PStd) > 5*l.PStd/math.Sqrt(2*n) {
		t.Errorf("standard deviation of ln sigma %.4f, want %g", std, l.PStd)
	}
}

// lambda(sigma) c_out(sigma)^2 = 1: every noise level weighs the same (EDM Eq.
// 143 to 145).
func TestWeightUndoesTheOutputScale(t *testing.T) {
	l := Default()
	for _, sigma := range []float64{0.002, 0.1, 0.5, 3, 80} {
		cOut := sigma * l.SigmaData / math.Hypot(sigma, l.SigmaData)
		if got := l.Weight(sigma) * cOut * cOut; math.Abs(got-1) > 1e-12 {
			t.Errorf("sigma %g: lambda c_out^2 = %.15g, want 1", sigma, got)
		}
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	err := EDM{PMean: math.NaN(), PStd: 0, SigmaData: math.Inf(1)}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"P_mean", "P_std", "sigma_data"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}
