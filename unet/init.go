package unet

import (
	"math"

	"edm/internal/rng"
)

// Init is how a parameter starts: Value, plus a uniform or a normal part.
type Init struct {
	Value float64 // constant part: 0 for weights and biases, 1 for norm scales
	Bound float64 // uniform in [-Bound, Bound] is added
	Std   float64 // normal of this standard deviation is added; if not 0, Bound is not
}

// Fill writes the initial values of parameter number index of a run.
func (i Init) Fill(dst []float32, seed, index uint64) {
	r := rng.New(seed, rng.Init, index)
	for k := range dst {
		if i.Std != 0 {
			dst[k] = float32(i.Value + i.Std*r.Normal())
			continue
		}
		dst[k] = float32(i.Value + i.Bound*(2*r.Float64()-1))
	}
}

// initialiser gives the initial weight and bias of a layer in which each output
// sums fanIn inputs and each input reaches fanOut outputs.
type initialiser func(fanIn, fanOut int) (weight, bias Init)

// xavier is Glorot's uniform initialisation times gain, biases zero.
func xavier(gain float64) initialiser {
	return func(fanIn, fanOut int) (weight, bias Init) {
		return Init{Bound: gain * math.Sqrt(6/float64(fanIn+fanOut))}, Init{}
	}
}

// kaiming is He's uniform initialisation with weights and biases times
// sqrt(1/3): both are uniform within 1/sqrt(fanIn).
func kaiming(fanIn, _ int) (weight, bias Init) {
	u := Init{Bound: 1 / math.Sqrt(float64(fanIn))}
	return u, u
}

// zeros starts weights and biases at zero.
func zeros(_, _ int) (weight, bias Init) { return Init{}, Init{} }

// unitNormal starts weights as standard normal numbers: He's normal
// initialisation times sqrt(fanIn), so that a one-hot input gives unit variance.
func unitNormal(_, _ int) (weight, bias Init) { return Init{Std: 1}, Init{} }
