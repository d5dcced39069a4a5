//go:build gpu

package cuda

import (
	"fmt"
	"math"

	"edm/internal/engine"
	"edm/internal/op"
)

// The sizes that kernels/conv.cu was written for.
const (
	convThreads = 128
	convGroup   = 16 // channels of a step
	convStages  = 4  // steps of weights in shared memory at once
	convStrip   = 64 // columns of a strip of a 3x3 convolution, at most
)

// convImages are the images of a convolution as its kernels see them: cut into
// vertical strips. A 1x1 convolution sees an image as one row.
type convImages struct{ count, height, columns, strip int }

// newConvImages returns images of [N,C,H,W] in equal strips of at most the given
// width, a multiple of 4 if the images' width is one.
func newConvImages(shape []int, kernel, widest int) convImages {
	s := convImages{count: shape[0], height: shape[2], columns: shape[3]}
	if kernel == 1 {
		s.height, s.columns = 1, shape[2]*shape[3]
	}
	s.strip = parts(s.columns, parts(s.columns, widest))
	if s.columns%4 == 0 {
		s.strip = 4 * parts(s.strip, 4)
	}
	return s
}

func (s convImages) pixels() int { return s.height * s.columns }
func (s convImages) strips() int { return s.count * parts(s.columns, s.strip) }
func (s convImages) pitch() int  { return s.strip + 2 }

// check returns an error if the kernels' 32-bit numbers do not reach the pixels
// of all images in padded order, or, within reach images, the elements of all of
// the channels.
func (s convImages) check(spec op.Spec, channels, reach int) error {
	if err := indexable(spec, s.strips()*(s.height+1)*s.pitch(), "pixels with their borders"); err != nil {
		return err
	}
	return indexable(spec, reach*channels*s.pixels(), "elements of images that a block reads")
}

// convTile is the tile of one block: output channels x pixels.
type convTile struct{ channels, pixels int }

// slowness is the time that a tile takes for a product, of that in the largest:
// the smaller, the more of its time goes to reading shared memory. Estimated from
// the reads for each matrix instruction.
func (t convTile) slowness() float64 {
	switch t {
	case convTile{128, 128}:
		return 1
	case convTile{64, 128}:
		return 1.1
	case convTile{64, 64}:
		return 1.3
	}
	return 1.6
}

func convTiles(p precision) []convTile {
	if p == fp32 {
		return []convTile{{64, 128}, {32, 64}}
	}
	return []convTile{{128, 128}, {64, 128}, {64, 64}, {32, 64}}
}

// convProduct is the product of op.Conv2D or op.Conv2DData, of inputs 0, the images,
// and 1, the weights.
type convProduct struct {
	images       convImages
	kernel       int
	depth, width int  // channels that are summed over, and of the result
	reverse      bool // the channels of the weights are exchanged, the taps mirrored
	scale        float32
	tile         convTile

	bias, sample, residual int // among the inputs; -1: none
}

func newConv2D(p precision, s op.Conv2D, c engine.Call) (kernel, error) {
	q := newConvProduct(s.Kernel, s.Scale, c)
	q.bias, q.sample, q.residual = s.Terms()
	return newConv(p, s, q)
}

// newConv2DData is a convolution of the gradient.
func newConv2DData(p precision, s op.Conv2DData, c engine.Call) (kernel, error) {
	q := newConvProduct(s.Kernel, s.Scale, c)
	q.reverse, q.bias, q.sample, q.residual = true, -1, -1, -1
	return newConv(p, s, q)
}

func newConvProduct(kernel int, scale float64, c engine.Call) convProduct {
	widest := convStrip
	if kernel == 1 {
		widest = math.MaxInt32
	}
	return convProduct{
		images: newConvImages(c.Out, kernel, widest),
		kernel: kernel, depth: c.In[0][1], width: c.Out[1], scale: float32(scale),
	}
}

// newConv returns the kernel of a product in a precision.
func newConv(p precision, spec op.Spec, q convProduct) (kernel, error) {
	if p == bf16 {
		return newPackedConv(spec, q)
	}
	k := &conv{convProduct: q, precision: p}
	if err := k.choose(spec, convTiles(p), k.shared); err != nil {
		return nil, err
	}
	return k, indexable(spec, k.packed()+convThreads, "packed weights")
}

// choose takes of some tiles the one that is done first by an estimate for a device
// of 132 multiprocessors with two blocks each; shared returns the shared memory of
// the one chosen. All tiles give the same bits, so that the choice may depend on the
// batch.
func (k *convProduct) choose(spec op.Spec, tiles []convTile, shared func() int) error {
	const atOnce = 2 * 132
	least, s := math.Inf(1), k.images
	for _, t := range tiles {
		k.tile, t = t, k.tile
		waves := float64(parts(k.blocks(), atOnce))
		time := waves * float64(k.tile.channels*k.tile.pixels) * k.tile.slowness()
		if shared() > maxShared || time >= least {
			k.tile = t
			continue
		}
		least = time
	}
	if math.IsInf(least, 1) {
		return fmt.Errorf("cuda: %v: images of %dx%d need more than %d bytes of shared memory", op.Op{Spec: spec}, s.height, s.columns, maxShared)
	}
	// A tile reaches as many images as it has pixels, and one more.
	reach := min(s.count, k.tile.pixels/s.pixels()+2)
	if err := s.check(spec, packedStride(max(k.depth, k.width)), reach); err != nil {
		return err
	}
	return indexable(spec, k.blocks(), "blocks")
}

func (k *convProduct) taps() int { return k.kernel * k.kernel }

// conv is a product in fp32 or tf32: the weights are packed in scratch memory in the
// order in which the blocks read them, then the product is computed.
type conv struct {
	convProduct
	precision precision
}

// steps returns how many groups of channels and taps the sum goes over.
func (k *conv) steps() int { return parts(k.depth, convGroup) * k.taps() }

// rows returns the 16s of output channels of all tiles.
func (k *conv) rows() int { return parts(k.width, k.tile.channels) * k.tile.channels / 16 }

// packed returns the elements of all packed weights.
func (k *conv) packed() int { return k.rows() * k.steps() * 16 * convGroup }

// pixelTiles returns how many tiles the pixels of all strips are.
func (k *convProduct) pixelTiles() int {
	s := k.images
	return parts(s.strips()*s.height*s.strip, k.tile.pixels)
}

func (k *convProduct) blocks() int { return k.pixelTiles() * parts(k.width, k.tile.channels) }

// padded returns the number of pixel p in padded order, less that of pixel 0.
func (s convImages) padded(p int) int {
	size := s.height * s.strip
	strip, rest := p/size, p%size
	return (strip*(s.height+1)+rest/s.strip)*s.pitch() + rest%s.strip
}

// window returns the elements of a channel that the taps of a tile's pixels span,
// at most.
func (k *convProduct) window() int {
	if k.kernel == 1 {
		return k.tile.pixels
	}
	s, longest := k.images, 0
	tiles := min(k.pixelTiles(), s.height*s.strip) // then they repeat
	for i := range tiles {
		first := i * k.tile.pixels
		longest = max(longest, s.padded(first+k.tile.pixels-1)-s.padded(first))
	}
	return longest + 2*(s.pitch()+1) + 1
}

// plane returns what a channel of a window takes in shared memory: 8 mod 16 keeps
// the lanes of a warp in different banks.
func (k *conv) plane() int { return 16*parts(k.window()-8, 16) + 8 }

// shared returns the bytes of shared memory of a block: weights, windows, and the
// tables of the window's elements and of the pixels.
func (k *conv) shared() int {
	buffers := 2
	if k.kernel == 1 {
		buffers = convStages
	}
	weights := convStages * k.tile.channels * convGroup
	return 4 * (weights + buffers*convGroup*k.plane() + k.window() + 3*k.tile.pixels)
}

func (k *conv) workspace() int { return k.packed() }

func (k *conv) launches(o operands) []launch {
	return []launch{k.pack(o), k.multiply(o)}
}

// suffix returns the precision's part of a kernel's name.
func (p precision) suffix() string { return [...]string{"fp32", "tf32", "bf16"}[p] }

func (k *conv) pack(o operands) launch {
	return launch{
		module: "conv", name: "conv_pack_" + k.precision.suffix(),
		grid: [3]int{parts(k.packed(), convThreads), 1, 1}, block: [3]int{convThreads, 1, 1},
		args: []any{
			o.work, o.in[1], int32(k.width), int32(k.depth), int32(k.taps()), int32(k.rows()),
			flag(k.reverse), int32(k.packed()),
		},
	}
}

func (k *conv) multiply(o operands) launch {
	s, x := k.images, o.in[0]
	quads := k.kernel == 1 && s.columns%4 == 0 && x%16 == 0
	l := k.launch(k.precision, o, x, o.work, k.depth)
	l.shared = k.shared()
	l.args = append(l.args, int32(k.window()), int32(k.plane()), k.scale, flag(quads), flag(k.pairs(o)))
	return l
}

// launch returns the launch of a product of images and weights as its kernel reads
// them, less what follows the size of a strip.
func (k *convProduct) launch(p precision, o operands, x, w pointer, depth int) launch {
	s := k.images
	return launch{
		module: "conv_" + p.suffix(),
		name:   fmt.Sprintf("conv%dx%d_%s_%dx%d", k.kernel, k.kernel, p.suffix(), k.tile.channels, k.tile.pixels),
		grid:   [3]int{k.blocks(), 1, 1}, block: [3]int{convThreads, 1, 1},
		args: []any{
			o.out, x, w, o.term(k.bias), o.term(k.sample), o.term(k.residual),
			int32(s.count), int32(depth), int32(k.width), int32(s.height), int32(s.columns), int32(s.strip),
		},
	}
}

// pairs reports whether neighbouring pixels of results may be moved by one access.
func (k *convProduct) pairs(o operands) bool {
	s := k.images
	return s.columns%2 == 0 && s.strip%2 == 0 && (o.out|o.term(k.residual))%8 == 0
}

// term returns input i; none if i is negative.
func (o operands) term(i int) pointer {
	if i < 0 {
		return 0
	}
	return o.in[i]
}

// flag is a kernel's parameter that is 0 or 1.
func flag(on bool) int32 {
	if on {
		return 1
	}
	return 0
}
