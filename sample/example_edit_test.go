package sample_test

import (
	"context"
	"fmt"
	"log"

	"edm/sample"
)

// Editing (SDEdit): the sampler starts from given images with noise of the
// first level added, instead of from noise alone. What is larger than the noise
// stays, what is smaller is drawn anew: here 3 and -3 come back as the nearest
// data, +1 and -1.
func Example_edit() {
	options := sample.EDM()
	options.Levels = sample.Karras{Min: 0.002, Max: 0.5, Rho: 7} // Max is the strength of the edit
	sampler, err := sample.New(coin{}, options)
	if err != nil {
		log.Fatal(err)
	}
	image := []float64{3, -3, 0.9}
	x := make([]float64, len(image))
	if err := sample.Latents(x, []uint64{0, 1, 2}, 1); err != nil {
		log.Fatal(err)
	}
	if _, err := sampler.Sample(context.Background(), sample.Batch{X: x, Dim: 1, Image: image}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+.2f\n", x)
	// Output: [+1.00 -1.00 +1.00]
}

// Inpainting: pixels under the mask are those of a given image, the others are
// drawn. coin's pixels are independent, so the second is +1 or -1 as its own
// latent says.
func ExampleInpaint() {
	known, mask := []float64{-1, 0}, []float64{1, 0}
	den, err := sample.Inpaint(coin{}, known, mask)
	if err != nil {
		log.Fatal(err)
	}
	// Any solver will do.
	sampler, err := sample.New(den, sample.Options{Solver: sample.DPMPP2M{}, Levels: sample.DefaultKarras(), NumSteps: 18})
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float64, 3*len(known))
	if err := sample.Latents(x, []uint64{0, 1, 2}, len(known)); err != nil {
		log.Fatal(err)
	}
	if _, err := sampler.Sample(context.Background(), sample.Batch{X: x, Dim: len(known)}); err != nil {
		log.Fatal(err)
	}
	for ; len(x) > 0; x = x[2:] {
		fmt.Printf("%+.2f\n", x[:2])
	}
	// Output:
	// [-1.00 +1.00]
	// [-1.00 -1.00]
	// [-1.00 +1.00]
}
