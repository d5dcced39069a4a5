package model

import "edm/internal/engine"

// Program returns the program of Denoise for n images, with the weights bound, for its
// profile. Its inputs are those of the last call for so many images.
func (d *Denoiser) Program(n int) (*engine.Machine, error) {
	p, err := d.model.evaluation(n)
	if err != nil {
		return nil, err
	}
	return p.Machine, p.setWeights(d.weights, d.version)
}
