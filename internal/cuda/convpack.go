//go:build gpu

package cuda

// The sizes that kernels/convpack.cu was written for.
const (
	packThreads  = 256
	packChannels = 64 // of a tile
	packPixels   = 64
	packRows     = 8 // of a tile of weights
)

// packed16 returns a number of bfloat16 as float32 elements of memory, rounded up
// so that what follows is aligned to 256 bytes.
func packed16(n int) int { return 64 * parts(n, 128) }

// packedStride returns the channels of a packed row, with the zeros that fill it up
// to whole 16 bytes.
func packedStride(channels int) int { return 8 * parts(channels, 8) }

// packedPixels are images [N,C,H,W] as bfloat16 [N][H*W][stride], the form in which
// products read them; what is past the channels is zeros.
type packedPixels struct{ images, channels, size int }

// newPackedPixels returns the packed form of images [N,C,H,W].
func newPackedPixels(shape []int) packedPixels {
	return packedPixels{images: shape[0], channels: shape[1], size: shape[2] * shape[3]}
}

func (p packedPixels) stride() int { return packedStride(p.channels) }
func (p packedPixels) count() int  { return p.images * p.size }

// elements returns the float32 elements of memory that packed pixels take.
func (p packedPixels) elements() int { return packed16(p.count() * p.stride()) }

// pack returns the launch that packs float32 images; to is aligned to 16 bytes.
func (p packedPixels) pack(to, from pointer) launch {
	tiles := parts(p.count(), packPixels) * parts(p.stride(), packChannels)
	return launch{
		module: "convpack", name: "convpack_pixels",
		grid: [3]int{tiles, 1, 1}, block: [3]int{packThreads, 1, 1},
		shared: 4 * packChannels / 2 * (packPixels + 1),
		args:   []any{to, from, int32(p.count()), int32(p.channels), int32(p.size), int32(p.stride())},
	}
}

// packedWeights are weights of a convolution as bfloat16 [tap][rows][stride]: rows
// are channels of the result, columns those that are summed over; what is past the
// columns is zeros.
type packedWeights struct {
	rows, columns, taps int
	reverse             bool // from weights [columns][rows][taps], with mirrored taps
}

func (w packedWeights) stride() int { return packedStride(w.columns) }

// elements returns the float32 elements of memory that packed weights take.
func (w packedWeights) elements() int { return packed16(w.taps * w.rows * w.stride()) }

// pack returns the launch that packs float32 weights.
func (w packedWeights) pack(to, from pointer) launch {
	tiles := parts(w.rows, packRows) * parts(w.stride(), packChannels)
	return launch{
		module: "convpack", name: "convpack_weights",
		grid: [3]int{tiles, 1, 1}, block: [3]int{packThreads, 1, 1},
		shared: 4 * packRows * packChannels * w.taps,
		args: []any{
			to, from, int32(w.rows), int32(w.columns), int32(w.taps), int32(w.stride()), flag(w.reverse),
		},
	}
}
