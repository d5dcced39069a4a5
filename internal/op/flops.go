package op

import "gorgonia.org/tensor"

// Flops returns the floating-point operations of spec's products, counting
// multiply and add, with convolutions counted as direct ones; 0 for operations
// that are bound by memory.
func Flops(spec Spec, in []tensor.Shape, out tensor.Shape) float64 {
	product := func(a, b tensor.Shape) float64 {
		// Every weight meets every pixel of every image once.
		return 2 * float64(a.TotalSize()) * float64(b[0]*b[2]*b[3])
	}
	switch spec.(type) {
	case Conv2D:
		return product(in[1], out)
	case Conv2DData:
		return product(in[1], out)
	case Conv2DWeights:
		return product(out, in[0])
	case Linear, LinearData:
		return 2 * float64(in[1].TotalSize()) * float64(out[0])
	case LinearWeights:
		return 2 * float64(out.TotalSize()) * float64(in[0][0])
	case AttnLSE:
		return attentionFlops(in[0], 1)
	case Attn:
		return attentionFlops(in[0], 2)
	case AttnGrad:
		return attentionFlops(in[1], 5)
	}
	return 0
}

// attentionFlops counts products of a [pixels, C] with a [C, pixels] matrix.
func attentionFlops(qkv tensor.Shape, products float64) float64 {
	p := float64(qkv[2] * qkv[3])
	return products * 2 * float64(qkv[0]*qkv[1]/3) * p * p
}

// Bytes returns the bytes that spec's arrays have, each read or written once: the
// least that an operation moves whose arrays lie in memory. Of an input of which
// it reads a part only that part counts.
func Bytes(spec Spec, in []tensor.Shape, out tensor.Shape) float64 {
	const size = 4
	switch spec.(type) {
	case Narrow, Crop:
		return 2 * size * float64(out.TotalSize())
	}
	n := out.TotalSize()
	for _, s := range in {
		n += s.TotalSize()
	}
	return size * float64(n)
}
