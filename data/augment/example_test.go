package augment_test

import (
	"fmt"

	"edm/data/augment"
)

// A training image and the labels that the network is given with it. Sampling
// gives the network labels of zero.
func Example() {
	pipe, err := augment.New(augment.Published(0.12), 3, 32)
	if err != nil {
		fmt.Println(err)
		return
	}
	image := make([]float32, 3*32*32)
	labels := make([]float32, pipe.Labels())
	const seed, number = 1, 40000 // of the run, and of the image in it
	if err := pipe.Apply(image, labels, seed, number); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(labels), "labels")
	// Output: 9 labels
}
