//go:build gpu

package cuda

import (
	"fmt"

	"edm/internal/engine"
	"edm/internal/op"
)

// The sizes that kernels/convweights.cuh was written for.
const (
	chunkPixels = 32
	chunkStages = 3
	chunkStride = 36  // between channels of a chunk in shared memory
	chunkWindow = 160 // elements of a channel's window, at most, where a chunk has several images
)

// How the pixels of a gradient by weights are divided among blocks: into parts
// that give the device enough blocks, each with enough to do.
const (
	weightBlocks = 432 // two for each multiprocessor of sm_80, twice
	partChunks   = 16  // of a part, at least
)

// weightsProduct is what op.Conv2DWeights computes: every block an output tile over
// some of the pixels, into scratch memory, then the parts of each tile are added in
// order. The parts are a function of the shape and the precision alone.
type weightsProduct struct {
	images       convImages
	kernel       int
	depth, width int // input and output channels
	scale        float32
	pixels       int // of a chunk, at most
	rows, group  int // of a chunk: rows of a strip, images
	bm, bc       int // output and input channels of a tile
	warps        int // that share the rows of a tile
	chunks       int
	share        int // chunks of a part
}

func newConv2DWeights(p precision, s op.Conv2DWeights, c engine.Call) (kernel, error) {
	q := weightsProduct{kernel: s.Kernel, depth: c.In[0][1], width: c.Out[0], scale: float32(s.Scale)}
	if p == bf16 {
		return newPackedWeights(s, q, c.In[0])
	}
	k := &convWeights{weightsProduct: q, precision: p}
	k.images = newConvImages(c.In[0], s.Kernel, chunkPixels)
	k.cut(chunkPixels, chunkWindow)
	k.bm, k.bc, k.warps = 64, 16, 2
	if s.Kernel == 1 {
		k.bc = 64
	}
	if p != fp32 && fits(k.width, 128, 64) {
		k.bm = 128
	}
	k.divide()
	return k, k.check(s, k.workspace())
}

// fits reports whether tiles of the larger size waste at most a fourth more than
// those of the smaller.
func fits(n, large, small int) bool {
	return 4*large*parts(n, large) <= 5*small*parts(n, small)
}

// check returns an error if the kernels' numbers do not reach the pixels or the
// partial sums.
func (k *weightsProduct) check(s op.Spec, workspace int) error {
	if err := k.images.check(s, packedStride(max(k.depth, k.width)), k.group); err != nil {
		return err
	}
	return indexable(s, workspace+convThreads, "partial sums")
}

// cut chooses the chunks: as many rows of a strip as have that many pixels, or
// images if they are smaller, as long as their windows are small.
func (k *weightsProduct) cut(pixels, window int) {
	s := k.images
	k.pixels, k.rows, k.group = pixels, min(s.height, max(pixels/s.strip, 1)), 1
	if k.rows == s.height && s.strip == s.columns {
		k.group = min(pixels/s.pixels(), s.count)
		if k.kernel == 3 {
			k.group = min(k.group, window/((s.height+2)*s.pitch()))
		}
		k.group = max(k.group, 1)
	}
	k.chunks = s.strips() * parts(s.height, k.rows)
	if k.group > 1 {
		k.chunks = parts(s.count, k.group)
	}
}

// divide chooses the parts.
func (k *weightsProduct) divide() {
	n := max(1, min(weightBlocks/k.tiles(), k.chunks/partChunks))
	k.share = parts(k.chunks, n)
}

func (k *weightsProduct) taps() int  { return k.kernel * k.kernel }
func (k *weightsProduct) tiles() int { return parts(k.width, k.bm) * parts(k.depth, k.bc) }
func (k *weightsProduct) parts() int { return parts(k.chunks, k.share) }

// window returns the elements of a channel of a chunk that taps read.
func (k *weightsProduct) window() int {
	if k.kernel == 1 {
		return k.pixels
	}
	return k.group * (k.rows + 2) * k.images.pitch()
}

// elements returns the partial sums of a part.
func (k *weightsProduct) elements() int { return k.tiles() * k.bm * k.bc * k.taps() }

// launch returns the launch of the partial sums from images and gradients as the
// kernel reads them, less what follows the number of chunks of a part.
func (k *weightsProduct) launch(p precision, partial, x, g pointer) launch {
	s := k.images
	return launch{
		module: "conv_" + p.suffix(),
		name:   fmt.Sprintf("convweights%dx%d_%s_%dx%d", k.kernel, k.kernel, p.suffix(), k.bm, k.bc),
		grid:   [3]int{k.tiles() * k.parts(), 1, 1}, block: [3]int{convThreads, 1, 1},
		args: []any{
			partial, x, g, int32(s.count), int32(k.depth), int32(k.width), int32(s.height), int32(s.columns),
			int32(s.strip), int32(k.rows), int32(k.group), int32(k.chunks), int32(k.share), int32(k.window()),
		},
	}
}

// sum adds the parts.
func (k *weightsProduct) sum(p precision, o operands) launch {
	return launch{
		module: "conv", name: "convweights_sum",
		grid: [3]int{parts(k.elements(), convThreads), 1, 1}, block: [3]int{convThreads, 1, 1},
		args: []any{
			o.out, o.work, int32(k.width), int32(k.depth), int32(k.taps()), int32(k.bm), int32(k.bc),
			int32(k.warps), flag(p != fp32), int32(k.tiles()), int32(k.parts()), k.scale,
		},
	}
}

// convWeights is a product in fp32 or tf32.
type convWeights struct {
	weightsProduct
	precision precision
}

// plane returns what a channel of a window takes in shared memory: 4 mod 8 keeps
// the lanes of a warp in different banks.
func (k *convWeights) plane() int { return 8*parts(k.window()-4, 8) + 4 }

// shared returns the bytes of shared memory of a block: the stages, and tables of
// a chunk's pixels and, three words each, of its window's elements.
func (k *convWeights) shared() int {
	return 4 * (chunkStages*(k.bm*chunkStride+k.bc*k.plane()) + chunkPixels + 3*k.window())
}

func (k *convWeights) workspace() int { return k.parts() * k.elements() }

func (k *convWeights) launches(o operands) []launch {
	x, g := o.in[0], o.in[1]
	wide := k.images.columns%4 == 0
	l := k.launch(k.precision, o.work, x, g)
	l.shared = k.shared()
	l.args = append(l.args, int32(k.plane()), flag(wide && x%16 == 0), flag(wide && g%16 == 0))
	return []launch{l, k.sum(k.precision, o)}
}
