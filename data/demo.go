package data

import (
	"embed"
	"fmt"
)

// demoFiles is the test set of Fashion-MNIST; demo/LICENSE is its licence.
//
//go:embed demo/t10k-images-idx3-ubyte.gz demo/t10k-labels-idx1-ubyte.gz
var demoFiles embed.FS

const demoResolution = 32

// Demo returns the dataset inside the program: the 10,000 images of the
// Fashion-MNIST test set (Xiao et al. 2017, arXiv 1708.07747), greyscale, 1,000
// of each of 10 classes, 28x28 pixels in a border of background to 32x32.
func Demo() (Dataset, error) {
	p, err := openDemo(Options{})
	if err != nil {
		return nil, fmt.Errorf("data: open demo: %w", err)
	}
	return p, nil
}

func openDemo(o Options) (*packed, error) {
	pixels, err := demoIDX("demo/t10k-images-idx3-ubyte.gz", idxImages)
	if err != nil {
		return nil, err
	}
	labels, err := demoIDX("demo/t10k-labels-idx1-ubyte.gz", idxLabels)
	if err != nil {
		return nil, err
	}
	p := &packed{
		name:   "fashion-mnist",
		stored: Shape{1, 28, 28},
		names: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
			"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
		pixels: pixels,
	}
	if o.Resolution == 0 {
		o.Resolution = demoResolution
	}
	if err := p.present(o); err != nil {
		return nil, err
	}
	return p, p.setLabels(labels)
}

func demoIDX(name string, dimensions int) ([]byte, error) {
	f, err := demoFiles.Open(name)
	if err != nil {
		return nil, err
	}
	s, err := newStream(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer s.Close()
	_, elements, err := readIDX(s, dimensions, s.max)
	return elements, err
}
