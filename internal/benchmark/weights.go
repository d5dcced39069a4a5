package benchmark

import (
	"math"

	"edm/internal/rng"
	"edm/model"
	"edm/unet"
)

// unitWeights returns random weights with which every layer keeps the variance
// of its input; vectors are their initial values and a little noise.
func unitWeights(l model.Layout) ([]float32, error) {
	weights := make([]float32, l.Size)
	if err := l.Init(weights, seed); err != nil {
		return nil, err
	}
	for i, p := range l.Params {
		fanIn := 1
		for _, n := range p.Shape[1:] {
			fanIn *= n
		}
		r := rng.New(seed+1, rng.Init, uint64(i))
		view := p.View(weights)
		if len(p.Shape) == 1 {
			for k := range view {
				view[k] += float32(0.1 * r.Normal())
			}
			continue
		}
		// The bound of a uniform distribution with variance 1/fanIn.
		unet.Init{Bound: math.Sqrt(3 / float64(fanIn))}.Fill(view, seed+1, uint64(i))
	}
	return weights, nil
}
