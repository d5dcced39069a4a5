//go:build gpu

package cuda

import (
	"fmt"
	"math"

	"edm/internal/engine"
	"edm/internal/op"
)

// The sizes that kernels/convhopper_sm90a.cu was written for.
const (
	hopperThreads = 288  // two warpgroups that multiply, a warp that copies
	hopperStep    = 64   // terms of a step, and channels of a box
	hopperAlign   = 1024 // bytes, of the stages
)

// hopperMultiprocessors are those of the device that choices are made for.
const hopperMultiprocessors = 132

// hopperTile is the tile of one block: output channels x pixels, or output x
// input channels of a gradient by weights.
type hopperTile struct{ rows, columns int }

func hopperTiles() []hopperTile { return []hopperTile{{128, 256}, {128, 128}, {64, 128}} }

func (t hopperTile) String() string { return fmt.Sprintf("%dx%d", t.rows, t.columns) }

// traffic is what a block brings to shared memory for a term of the sum, in elements.
// The time that a tile takes is estimated by it.
func (t hopperTile) traffic() int { return t.rows + t.columns }

// blocks returns how many blocks a multiprocessor holds at once.
func (t hopperTile) blocks() int {
	if t.traffic() > 256 {
		return 1
	}
	return 2
}

// stages returns how many steps are in shared memory at once.
func (t hopperTile) stages() int {
	if t.blocks() == 1 {
		return 4
	}
	return 768 / t.traffic()
}

// shared returns the bytes of shared memory of a block: the stages, two barriers
// each, and two tables of the columns.
func (t hopperTile) shared() int {
	return hopperAlign + t.stages()*(2*hopperStep*t.traffic()+2*8) + 2*4*t.columns
}

// convHopper is op.Conv2D or op.Conv2DData by the matrix products of Hopper's
// warpgroups, of inputs 0, the images, and 1, the weights: weights, and pixels unless
// they are packed already, are packed in scratch memory, then the product is computed.
type convHopper struct {
	images  hopperImages
	weights packedWeights
	scale   float32
	tile    hopperTile
	box     hopperBox

	bias, sample, residual int // among the inputs; -1: none
}

func newHopperConv2D(s op.Conv2D, c engine.Call) (kernel, error) {
	k := &convHopper{scale: float32(s.Scale)}
	k.bias, k.sample, k.residual = s.Terms()
	return k, k.init(s, c, s.Kernel)
}

// newHopperConv2DData is a convolution of the gradient with the channels of the
// weights exchanged and the taps mirrored.
func newHopperConv2DData(s op.Conv2DData, c engine.Call) (kernel, error) {
	k := &convHopper{
		weights: packedWeights{reverse: true}, scale: float32(s.Scale),
		bias: -1, sample: -1, residual: -1,
	}
	return k, k.init(s, c, s.Kernel)
}

// init chooses the tile.
func (k *convHopper) init(spec op.Spec, c engine.Call, kernel int) error {
	k.images = newHopperImages(c.In[0], kernel)
	k.weights.rows, k.weights.columns, k.weights.taps = c.Out[1], c.In[0][1], kernel*kernel
	k.choose()
	if err := k.images.check(spec); err != nil {
		return err
	}
	reach := k.images.reach(k.box) * k.images.packed.size * k.weights.rows
	if err := indexable(spec, reach, "elements of images that a block writes"); err != nil {
		return err
	}
	return indexable(spec, k.blocks(), "blocks")
}

// choose takes the tile that is done first by an estimate: blocks that share a
// multiprocessor divide its time. All tiles give the same bits, so that the choice
// may depend on the batch.
func (k *convHopper) choose() {
	best, least := hopperTile{}, math.MaxInt
	for _, t := range hopperTiles() {
		if time := k.use(t); time < least {
			best, least = t, time
		}
	}
	k.use(best)
}

// use takes a tile and returns the time that it is estimated to take.
func (k *convHopper) use(t hopperTile) int {
	k.tile, k.box = t, k.images.box(t.columns)
	return parts(k.blocks(), hopperMultiprocessors) * t.traffic()
}

func (k *convHopper) blocks() int {
	return parts(k.weights.rows, k.tile.rows) * k.images.boxes(k.box)
}

func (k *convHopper) workspace() int { return k.weights.elements() + k.images.packed.elements() }

func (k *convHopper) packedInputs() []int { return []int{0} }

func (k *convHopper) packedWorkspace() int { return k.weights.elements() }

func (k *convHopper) launches(o operands) []launch {
	weights := o.work
	pixels, all := o.pack(0, k.images.packed, o.work.plus(k.weights.elements()))
	return append(all, k.weights.pack(weights, o.in[1]), k.multiply(o, weights, pixels))
}

func (k *convHopper) multiply(o operands, weights, pixels pointer) launch {
	s, box := k.images, k.box
	// A lane's two neighbouring columns are neighbouring pixels, at an even place.
	pairs := s.packed.size%2 == 0 && s.columns%2 == 0 && (o.out|o.term(k.residual))%8 == 0
	return launch{
		module: "convhopper", name: "convhopper_" + k.tile.String(),
		grid: [3]int{k.blocks(), 1, 1}, block: [3]int{hopperThreads, 1, 1}, shared: k.tile.shared(),
		args: []any{
			o.out, k.weightsMap(weights), s.tensorMap(pixels, box), o.term(k.bias), o.term(k.sample), o.term(k.residual),
			int32(k.weights.columns), int32(k.weights.rows), int32(k.weights.taps),
			int32(s.columns), int32(s.rows), int32(s.count), int32(s.packed.size),
			int32(box.columns), int32(box.rows), int32(box.images), k.scale, flag(pairs),
		},
	}
}

// weightsMap returns the map of packed weights at an address: boxes are the rows of
// a tile for one tap.
func (k *convHopper) weightsMap(at pointer) tensorMap {
	w := k.weights
	return tensorMap{at: at, extents: [4]int{w.stride(), w.rows, w.taps, 1}, box: [4]int{hopperStep, k.tile.rows, 1, 1}}
}
