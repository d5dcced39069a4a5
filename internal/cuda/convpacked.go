//go:build gpu

package cuda

import "edm/internal/op"

// The sizes that kernels/convpackedforward.cuh and convpackedweights.cuh were
// written for; rows are of shared memory.
const (
	packedGroup     = 32 // channels of a step
	packedRow       = 2 * packedGroup
	packedStages    = 4
	packedWindow    = 256 // rows of a chunk's window, at most, where it has several images
	packedSpotWords = 3   // of a pixel of a chunk or its window
)

// packedConv is op.Conv2D or op.Conv2DData in bf16, of packed pixels and weights.
type packedConv struct {
	convProduct
	pixels  packedPixels
	weights packedWeights
}

func newPackedConv(spec op.Spec, q convProduct) (kernel, error) {
	k := &packedConv{
		convProduct: q,
		pixels:      packedPixels{q.images.count, q.depth, q.images.pixels()},
		weights:     packedWeights{rows: q.width, columns: q.depth, taps: q.taps(), reverse: q.reverse},
	}
	if err := k.choose(spec, convTiles(bf16), k.shared); err != nil {
		return nil, err
	}
	return k, indexable(spec, k.pixels.count(), "pixels")
}

// shared returns the bytes of shared memory of a block: weights, windows, and the
// tables of the window's rows and of the pixels.
func (k *packedConv) shared() int {
	buffers := 2
	if k.kernel == 1 {
		buffers = packedStages
	}
	return packedRow*(packedStages*k.tile.channels+buffers*k.window()) + 4*(k.window()+3*k.tile.pixels)
}

func (k *packedConv) workspace() int { return k.weights.elements() + k.pixels.elements() }

func (k *packedConv) packedInputs() []int { return []int{0} }

func (k *packedConv) packedWorkspace() int { return k.weights.elements() }

func (k *packedConv) launches(o operands) []launch {
	w := o.work
	launches := []launch{k.weights.pack(w, o.in[1])}
	x, pack := o.pack(0, k.pixels, w.plus(k.weights.elements()))
	l := k.launch(bf16, o, x, w, k.pixels.stride())
	l.shared = k.shared()
	l.args = append(l.args, int32(k.window()), k.scale, flag(k.pairs(o)))
	return append(append(launches, pack...), l)
}

// pack returns where input i lies as packed pixels, and, where it is not packed yet,
// the launch that packs it to an address.
func (o operands) pack(i int, p packedPixels, to pointer) (pointer, []launch) {
	if o.packed != nil && o.packed[i] != 0 {
		return o.packed[i], nil
	}
	return to, []launch{p.pack(to, o.in[i])}
}

// packedConvWeights is op.Conv2DWeights in bf16, of packed pixels.
type packedConvWeights struct {
	weightsProduct
	x, g   packedPixels
	stages int // chunks in shared memory
}

func newPackedWeights(s op.Conv2DWeights, q weightsProduct, x []int) (kernel, error) {
	k := &packedConvWeights{weightsProduct: q, x: newPackedPixels(x), stages: 3}
	k.g = k.x
	k.g.channels = k.width
	pixels := 64
	k.bm, k.bc, k.warps = 64, 32, 1
	if k.kernel == 1 {
		pixels, k.stages = 32, 4
		k.bm, k.bc, k.warps = 64, 64, 2
		if fits(k.width, 128, 64) && fits(k.depth, 128, 64) {
			k.bm, k.bc = 128, 128
		}
	}
	k.images = newConvImages(x, k.kernel, chunkPixels)
	k.cut(pixels, packedWindow)
	k.divide()
	if err := k.check(s, k.partial()); err != nil {
		return nil, err
	}
	return k, indexable(s, k.x.count(), "pixels")
}

// shared returns the bytes of shared memory of a block: the stages, and tables of a
// chunk's pixels and of its window's rows.
func (k *packedConvWeights) shared() int {
	stage := 2 * (k.bm*k.pixels + k.bc*k.window())
	spots := k.pixels
	if k.kernel == 3 {
		spots += k.window()
	}
	return k.stages*stage + 4*(packedSpotWords*spots+k.pixels)
}

// partial returns the elements of all partial sums, rounded up so that what follows
// is aligned.
func (k *packedConvWeights) partial() int { return 64 * parts(k.parts()*k.elements(), 64) }

func (k *packedConvWeights) workspace() int {
	return k.partial() + k.x.elements() + k.g.elements()
}

func (k *packedConvWeights) packedInputs() []int { return []int{0, 1} }

func (k *packedConvWeights) packedWorkspace() int { return k.partial() }

func (k *packedConvWeights) launches(o operands) []launch {
	to := o.work.plus(k.partial())
	x, launches := o.pack(0, k.x, to)
	g, pack := o.pack(1, k.g, to.plus(k.x.elements()))
	l := k.launch(bf16, o.work, x, g)
	l.shared = k.shared()
	return append(append(launches, pack...), l, k.sum(bf16, o))
}

var _, _ packer = (*packedConv)(nil), (*packedConvWeights)(nil)
