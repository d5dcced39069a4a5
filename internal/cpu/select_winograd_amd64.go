package cpu

// winogradAVX2 and winogradAVX512 give equal bits: their maps are the same
// operations on vectors, and their sums run in the same order.
func winogradAVX2() winogradSet {
	return winogradSet{
		rows:       6,
		fetch:      fetchAVX2,
		input:      winogradInputAVX2,
		output:     winogradOutputAVX2,
		spread:     winogradSpreadAVX2,
		filter:     winogradFilterAVX2,
		mirror:     winogradMirrorAVX2,
		filterGrad: winogradFilterGradAVX2,
		product:    [3]func(c, a, b, next []float32, tiles, depth, cStride, aStride, bStride int){nil, winogradProduct6x1AVX2, winogradProduct6x2AVX2},
		gradient:   [3]func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int){nil, winogradGradient4x1AVX2, winogradGradient4x2AVX2},
	}
}

func winogradAVX512() winogradSet {
	return winogradSet{
		rows:       8,
		fetch:      fetchAVX2,
		input:      winogradInputAVX512,
		output:     winogradOutputAVX512,
		spread:     winogradSpreadAVX512,
		filter:     winogradFilterAVX512,
		mirror:     winogradMirrorAVX512,
		filterGrad: winogradFilterGradAVX512,
		product:    [3]func(c, a, b, next []float32, tiles, depth, cStride, aStride, bStride int){nil, winogradProduct8x1AVX512, winogradProduct8x2AVX512},
		gradient:   [3]func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int){nil, winogradGradient8x1AVX512, winogradGradient8x2AVX512},
	}
}
