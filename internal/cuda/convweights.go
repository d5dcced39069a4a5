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
	chunkWindow = 160 // elements of a channel's window, at most
)

// How the pixels of a gradient by weights are divided among blocks: into parts
// that give the device enough blocks, each with enough to do.
const (
	weightBlocks = 384
	partChunks   = 16 // of a part, at least
)

// convWeights is op.Conv2DWeights: every block computes an output tile over some
// of the pixels into scratch memory, then the parts of each tile are added in
// order. The parts are a function of the shape and the precision alone.
type convWeights struct {
	precision    precision
	images       convImages
	kernel       int
	depth, width int // input and output channels
	scale        float32
	rows, group  int // of a chunk: rows of a strip, images
	bm, bc       int // output and input channels of a tile
	chunks       int
	share        int // chunks of a part
}

func newConv2DWeights(p precision, s op.Conv2DWeights, c engine.Call) (kernel, error) {
	x := c.In[0]
	k := &convWeights{precision: p, kernel: s.Kernel, depth: x[1], width: c.Out[0], scale: float32(s.Scale)}
	k.images = newConvImages(x, s.Kernel, chunkPixels)
	k.cut()
	k.bm, k.bc = 64, 16
	if s.Kernel == 1 {
		k.bc = 64
	}
	// The larger tile, where it wastes at most a fourth of its rows.
	if wide := 128; p != fp32 && 4*wide*parts(k.width, wide) <= 5*64*parts(k.width, 64) {
		k.bm = wide
	}
	k.divide()
	if err := k.images.check(s, max(k.depth, k.width), k.group); err != nil {
		return nil, err
	}
	return k, indexable(s, k.workspace()+convThreads, "partial sums")
}

// cut chooses the chunks: as many rows of a strip as fit, or images if they are
// smaller, as long as their windows are small.
func (k *convWeights) cut() {
	s := k.images
	k.rows, k.group = min(s.height, max(chunkPixels/s.strip, 1)), 1
	if k.rows == s.height && s.strip == s.columns {
		k.group = min(chunkPixels/s.pixels(), s.count)
		if k.kernel == 3 {
			k.group = min(k.group, chunkWindow/((s.height+2)*s.pitch()))
		}
		k.group = max(k.group, 1)
	}
	k.chunks = s.strips() * parts(s.height, k.rows)
	if k.group > 1 {
		k.chunks = parts(s.count, k.group)
	}
}

// divide chooses the parts.
func (k *convWeights) divide() {
	n := max(1, min(parts(weightBlocks, k.tiles()), k.chunks/partChunks))
	k.share = parts(k.chunks, n)
}

func (k *convWeights) taps() int  { return k.kernel * k.kernel }
func (k *convWeights) tiles() int { return parts(k.width, k.bm) * parts(k.depth, k.bc) }
func (k *convWeights) parts() int { return parts(k.chunks, k.share) }

// window returns the elements of a channel of a chunk that taps read.
func (k *convWeights) window() int {
	if k.kernel == 1 {
		return chunkPixels
	}
	return k.group * (k.rows + 2) * k.images.pitch()
}

// plane returns what a channel of a window takes in shared memory: 4 mod 8 keeps
// the lanes of a warp in different banks.
func (k *convWeights) plane() int { return 8*parts(k.window()-4, 8) + 4 }

// shared returns the bytes of shared memory of a block: the stages, and tables of
// a chunk's pixels and, three words each, of its window's elements.
func (k *convWeights) shared() int {
	return 4 * (chunkStages*(k.bm*chunkStride+k.bc*k.plane()) + chunkPixels + 3*k.window())
}

func (k *convWeights) elements() int { return k.tiles() * k.bm * k.bc * k.taps() }

func (k *convWeights) workspace() int { return k.parts() * k.elements() }

func (k *convWeights) launches(o operands) []launch {
	return []launch{k.weigh(o), k.sum(o)}
}

func (k *convWeights) weigh(o operands) launch {
	s, x, g := k.images, o.in[0], o.in[1]
	wide := s.columns%4 == 0
	return launch{
		module: "conv_" + k.precision.suffix(),
		name:   fmt.Sprintf("convweights%dx%d_%s_%dx%d", k.kernel, k.kernel, k.precision.suffix(), k.bm, k.bc),
		grid:   [3]int{k.tiles() * k.parts(), 1, 1}, block: [3]int{convThreads, 1, 1}, shared: k.shared(),
		args: []any{
			o.work, x, g, int32(s.count), int32(k.depth), int32(k.width), int32(s.height), int32(s.columns),
			int32(s.strip), int32(k.rows), int32(k.group), int32(k.chunks), int32(k.share),
			int32(k.window()), int32(k.plane()), flag(wide && x%16 == 0), flag(wide && g%16 == 0),
		},
	}
}

func (k *convWeights) sum(o operands) launch {
	return launch{
		module: "conv", name: "convweights_sum",
		grid: [3]int{parts(k.elements(), convThreads), 1, 1}, block: [3]int{convThreads, 1, 1},
		args: []any{
			o.out, o.work, int32(k.width), int32(k.depth), int32(k.taps()), int32(k.bm), int32(k.bc),
			flag(k.precision != fp32), int32(k.tiles()), int32(k.parts()), k.scale,
		},
	}
}
