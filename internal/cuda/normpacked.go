//go:build gpu

package cuda

import (
	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/rng"
)

// The shared memory of kernels/normpacked.cu in bytes.
const (
	packedTile   = 4 * packChannels / 2 * (packPixels + 1)
	packedAffine = 16 * packChannels
	siteBytes    = 32 // of a dropout, also in kernels/pointwise.cu
)

// packedWriter is implemented by a kernel that can write its result as packed
// pixels.
type packedWriter interface {
	// packed returns the kernel that does: out is where the packed pixels go.
	packed() kernel
}

// twoForms is a kernel with its twin that writes packed pixels.
type twoForms struct {
	kernel
	twin kernel
}

func (k twoForms) packed() kernel { return k.twin }

// newPackedNorm returns the kernel of op.GNApply with a packed result, and of the
// op.Dropout that follows it if there is one.
func newPackedNorm(s op.GNApply, c engine.Call, drop *op.Dropout) (kernel, error) {
	x := newPackedPixels(c.Out)
	blocks := x.images * parts(x.size, packPixels) * parts(x.stride(), packChannels)
	name, shared := activated("gn_apply", s.SiLU), packedTile+packedAffine
	var random []any
	if drop != nil {
		name, shared = name+"_dropout", shared+siteBytes
		random = []any{uint32(drop.Site * op.DropoutBlocks), uint32(rng.Dropout)}
	}
	if err := indexable(s, x.channels*x.size, "elements of an image"); err != nil {
		return nil, err
	}
	return recipe(func(o operands) []launch {
		sizes := []any{o.out, int32(x.channels), int32(x.size), int32(x.stride()), int32(x.channels / s.Groups), flag(s.PerImage)}
		return []launch{{
			module: "normpacked", name: name + "_packed",
			grid: [3]int{blocks, 1, 1}, block: [3]int{packThreads, 1, 1}, shared: shared,
			args: append(append(inputs(o), sizes...), random...),
		}}
	}), indexable(s, blocks, "blocks")
}

// newDroppedNorm returns the kernel of an op.GNApply with SiLU and the op.Dropout that
// alone reads it, with a packed result, or nil for other operations and for images
// whose pixels are no multiple of 4. Its inputs are those of the first and then those
// of the second but for the first's result.
func newDroppedNorm(norm, drop engine.Call) (kernel, error) {
	s, ok := norm.Spec.(op.GNApply)
	d, follows := drop.Spec.(op.Dropout)
	if !ok || !follows || !s.SiLU || norm.Out[2]*norm.Out[3]%quad != 0 {
		return nil, nil
	}
	return newPackedNorm(s, norm, &d)
}
