//go:build gpu

package cuda

import (
	"fmt"
	"slices"

	"edm/internal/engine"
	"edm/internal/op"
)

// newKernel prepares one operation. Errors name it.
func newKernel(t target, c engine.Call) (kernel, error) {
	if c.DType != engine.Float32 {
		return nil, fmt.Errorf("cuda: %v in %v: only float32 graphs run on a GPU: %w", op.Op{Spec: c.Spec}, c.DType, engine.ErrUnsupported)
	}
	for _, family := range t.families() {
		k, err := family(t.precision, c)
		if err != nil {
			return nil, fmt.Errorf("cuda: prepare %v of %v: %w", op.Op{Spec: c.Spec}, c.In, err)
		}
		if k != nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("cuda: %v has no CUDA kernel: %w", op.Op{Spec: c.Spec}, engine.ErrUnsupported)
}

// family returns the kernel of an operation, nil for one that it does not have.
type family func(precision, engine.Call) (kernel, error)

// families returns all of a target: the first that has an operation computes it.
func (t target) families() []family {
	all := []family{products, attention, norms, pointwise, images, vectors}
	if t.wgmma {
		all = slices.Insert(all, 0, family(hopperProducts))
	}
	return all
}

// hopperProducts returns the kernel of a convolution by the matrix products of
// Hopper's warpgroups.
func hopperProducts(_ precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.Conv2D:
		return newHopperConv2D(s, c)
	case op.Conv2DData:
		return newHopperConv2DData(s, c)
	case op.Conv2DWeights:
		return newHopperConv2DWeights(s, c)
	}
	return nil, nil
}

// products returns the kernel of a product of matrices or a convolution.
func products(p precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.Conv2D:
		return newConv2D(p, s, c)
	case op.Conv2DData:
		return newConv2DData(p, s, c)
	case op.Conv2DWeights:
		return newConv2DWeights(p, s, c)
	case op.Linear:
		return newLinear(p, s, c)
	case op.LinearData:
		return newLinearData(p, s, c)
	case op.LinearWeights:
		return newLinearWeights(p, s, c)
	}
	return nil, nil
}

func attention(p precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.AttnLSE:
		return newAttnLSE(p, s, c)
	case op.Attn:
		return newAttn(p, s, c)
	case op.AttnGrad:
		return newAttnGrad(p, s, c)
	}
	return nil, nil
}

func norms(p precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.GNStats:
		return newGNStats(p, s, c)
	case op.GNApply:
		return newGNApply(p, s, c)
	case op.GNSums:
		return newGNSums(p, s, c)
	case op.GNData:
		return newGNData(p, s, c)
	case op.GNParam:
		return newGNParam(p, s, c)
	case op.Modulate:
		return newModulate(p, s, c)
	case op.ModulateParam:
		return newModulateParam(p, s, c)
	case op.ModulateData:
		return newModulateData(p, s, c)
	}
	return nil, nil
}

func pointwise(p precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.SiLU:
		return newSiLU(p, s, c)
	case op.SiLUGrad:
		return newSiLUGrad(p, s, c)
	case op.Add:
		return newAdd(p, s, c)
	case op.Scale:
		return newScale(p, s, c)
	case op.SampleScale:
		return newSampleScale(p, s, c)
	case op.Combine:
		return newCombine(p, s, c)
	case op.SquaredError:
		return newSquaredError(p, s, c)
	case op.SquaredErrorGrad:
		return newSquaredErrorGrad(p, s, c)
	case op.Dropout:
		return newDropout(p, s, c)
	}
	return nil, nil
}

// images returns the kernel of an operation that moves pixels or channels.
func images(p precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.Concat:
		return newConcat(p, s, c)
	case op.Narrow:
		return newNarrow(p, s, c)
	case op.Widen:
		return newWiden(p, s, c)
	case op.Pad:
		return newPad(p, s, c)
	case op.Crop:
		return newCrop(p, s, c)
	case op.Up:
		return newUp(p, s, c)
	case op.Down:
		return newDown(p, s, c)
	}
	return nil, nil
}

// vectors returns the kernel of an operation with a result for each image or
// channel.
func vectors(p precision, c engine.Call) (kernel, error) {
	switch s := c.Spec.(type) {
	case op.Positional:
		return newPositional(p, s, c)
	case op.Fourier:
		return newFourier(p, s, c)
	case op.SumHW:
		return newSumHW(p, s, c)
	case op.SumN:
		return newSumN(p, s, c)
	case op.MeanHW:
		return newMeanHW(p, s, c)
	case op.SpreadHW:
		return newSpreadHW(p, s, c)
	case op.CrossEntropy:
		return newCrossEntropy(p, s, c)
	case op.CrossEntropyGrad:
		return newCrossEntropyGrad(p, s, c)
	}
	return nil, nil
}
