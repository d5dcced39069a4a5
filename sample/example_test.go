package sample_test

import (
	"context"
	"fmt"
	"math"

	"edm/sample"
)

// coin is a denoiser in closed form. Its data are single numbers, -1 or +1 with
// equal chance; the expectation of the datum behind x is tanh(x / sigma^2).
type coin struct{}

func (coin) Denoise(_ context.Context, dst, x []float64, sigma float64, _ []float32) error {
	for i, v := range x {
		dst[i] = math.Tanh(v / (sigma * sigma))
	}
	return nil
}

func (coin) SigmaRange() (min, max float64) { return 0, math.Inf(1) }

func (coin) RoundSigma(sigma float64) float64 { return sigma }

// A Denoiser of one's own is all that sampling needs.
func Example() {
	sampler, err := sample.New(coin{}, sample.EDM())
	if err != nil {
		fmt.Println(err)
		return
	}
	seeds := []uint64{0, 1, 2, 3, 4, 5}
	const dim = 1
	x := make([]float64, len(seeds)*dim)
	if err := sample.Latents(x, seeds, dim); err != nil {
		fmt.Println(err)
		return
	}
	result, err := sampler.Sample(context.Background(), sample.Batch{X: x, Dim: dim})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+.3f in %d evaluations\n", x, result.NFE)
	// Output:
	// [+1.000 +1.000 -1.000 +1.000 +1.000 -1.000] in 35 evaluations
}
