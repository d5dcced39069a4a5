package model_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"edm/model"
	"edm/model/precond"
	"edm/sample"
)

// perfect is the best F for data that is normally distributed with standard
// deviation 1/2: under the EDM preconditioning with sigma_data = 1/2 nothing is
// left for it to do.
type perfect struct{}

func (perfect) Evaluate(_ context.Context, dst, _ []float64, _ float64, _ []float32) error {
	clear(dst)
	return nil
}

// A network of one's own inside the EDM preconditioning, sampled with Heun's
// method.
func ExampleWrap() {
	d, err := model.Wrap(perfect{}, precond.DefaultEDM())
	if err != nil {
		log.Fatal(err)
	}
	options := sample.EDM()
	options.NumSteps = 64
	sampler, err := sample.New(d, options)
	if err != nil {
		log.Fatal(err)
	}
	const images, dim = 10, 400
	seeds := make([]uint64, images)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	x := make([]float64, images*dim)
	if err := sample.Latents(x, seeds, dim); err != nil {
		log.Fatal(err)
	}
	if _, err := sampler.Sample(context.Background(), sample.Batch{X: x, Dim: dim}); err != nil {
		log.Fatal(err)
	}
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	fmt.Printf("standard deviation %.1f\n", math.Sqrt(sum/float64(len(x))))
	// Output: standard deviation 0.5
}
