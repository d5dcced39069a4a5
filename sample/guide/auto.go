package guide

import (
	"errors"
	"fmt"

	"edm/sample"
)

// NewAuto returns the guidance of a network by a worse version of itself
// (autoguidance, Karras et al. 2024):
//
//	D_g + w (D_m - D_g)
//
// Both are given the labels, if any; see WithoutLabels for a network that takes
// none. Weight 1 is the main network and 0 the guide, each for one evaluation;
// any other weight takes two. Noise levels are those that both support, rounded
// as the main network does. The networks must have images and labels of one
// size: an interface does not show them, so a mismatch is the guide's error at
// the first evaluation.
func NewAuto(main, guide sample.Denoiser, o Options) (Denoiser, error) {
	if main == nil || guide == nil {
		return nil, errors.New("guide: autoguidance: want two networks, the main one and its guide")
	}
	g, err := newDenoiser(main, network{guide, o.Weight}, o, false)
	if err != nil {
		return nil, fmt.Errorf("guide: autoguidance: %w", err)
	}
	return g, nil
}
