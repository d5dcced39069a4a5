package outside

import (
	"math"
	"testing"

	"edm/sample"
)

// Along the ODE of normal data x / sqrt(Data^2 + sigma^2) is constant, so each latent
// has a known end, and the error of the method is of order 2 at least.
func TestDraw(t *testing.T) {
	seeds := []uint64{0, 1, 2, 3}
	const dim = 100
	one, err := Draw(seeds[:1], dim, 64)
	if err != nil {
		t.Fatal(err)
	}
	var last float64
	for _, steps := range []int{64, 128, 256} {
		x, err := Draw(seeds, dim, steps)
		if err != nil {
			t.Fatal(err)
		}
		if steps == 64 && x[7] != one[7] {
			t.Error("an image depends on its batch")
		}
		e := distance(t, x, seeds, dim)
		if last > 0 && !(last/e > 3.5) {
			t.Errorf("%d steps: twice as many reduce the error %.2f times, want 4 or more", steps, last/e)
		}
		last = e
	}
	if !(last < 1e-3) {
		t.Errorf("the error is %.2e", last)
	}
}

// distance returns the root mean square of the images less the ODE's solution at the
// lowest noise level, from which the last step leads to 0.
func distance(t *testing.T, x []float64, seeds []uint64, dim int) float64 {
	t.Helper()
	z := make([]float64, len(x))
	if err := sample.Latents(z, seeds, dim); err != nil {
		t.Fatal(err)
	}
	const data, high, low = 0.5, 80.0, 0.002
	// The last step is Euler's: D = Data^2 / (Data^2 + sigma^2) x.
	factor := high * math.Sqrt((data*data+low*low)/(data*data+high*high)) * data * data / (data*data + low*low)
	sum := 0.0
	for j := range x {
		d := x[j] - factor*z[j]
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(x)))
}
