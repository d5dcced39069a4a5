package cpu

// choice is how many times faster than the direct algorithm F(4x4,3x3) was for
// one layer, forward, by data and by weights.
type choice struct {
	channels, side             int // of the narrower side of the layer; of the image
	forward, byData, byWeights float64
}

// choices was measured by BenchmarkChoices with AVX-512 on one thread. At 8
// channels the direct algorithm was faster everywhere (0.34 to 0.77). A layer is
// decided by the last row that is at most as wide and as large as it is. Other
// sets of kernels follow the same table, so that all of them give equal results.
var choices = []choice{
	{16, 4, 1.84, 1.86, 1.27},
	{16, 6, 1.12, 1.12, 0.89},
	{16, 8, 1.42, 1.42, 1.33},
	{16, 16, 1.41, 1.43, 1.27},
	{16, 32, 1.11, 1.09, 1.20},
	{32, 4, 2.11, 2.08, 1.75},
	{32, 6, 1.42, 1.40, 1.11},
	{32, 8, 1.91, 1.86, 1.78},
	{32, 16, 1.95, 1.81, 1.82},
	{32, 32, 1.57, 1.58, 1.62},
	{64, 4, 2.36, 2.34, 1.97},
	{64, 6, 1.85, 1.86, 1.26},
	{64, 8, 2.13, 2.14, 2.01},
	{64, 16, 2.06, 1.90, 1.73},
	{64, 32, 2.24, 2.13, 1.94},
	{128, 4, 2.48, 2.29, 2.09},
	{128, 6, 1.94, 1.84, 1.45},
	{128, 8, 2.21, 2.14, 2.19},
	{128, 16, 2.30, 2.33, 1.99},
	{128, 32, 2.44, 2.55, 1.84},
	{256, 4, 1.62, 2.03, 1.34},
	{256, 6, 1.78, 1.82, 1.57},
	{256, 8, 2.64, 2.65, 2.79},
	{256, 16, 2.56, 2.78, 2.95},
	{256, 32, 2.89, 2.97, 2.38},
}

// row returns the entry of the table for a layer, or nil if it is smaller than
// all.
func (s convShape) row() *choice {
	var found *choice
	for i := range choices {
		if c := &choices[i]; min(s.depth, s.width) >= c.channels && min(s.h, s.w) >= c.side {
			found = c
		}
	}
	return found
}

// useWinograd tells whether a convolution, or with reverse its gradient by data,
// is computed by F(4x4,3x3).
func useWinograd(s convShape, reverse bool) bool {
	c := s.row()
	if s.kernel != 3 || c == nil {
		return false
	}
	if reverse {
		return c.byData > 1
	}
	return c.forward > 1
}

// Layers this wide with so few tiles have their gradient by weights computed
// directly: it takes as long (0.84 to 1.24 of the time of F(4x4,3x3)), without 36
// numbers of scratch memory for every pair of channels.
const (
	wideChannels = 512
	fewTiles     = 4
)

// useWinogradWeights is useWinograd for the gradient by weights.
func useWinogradWeights(s convShape) bool {
	c := s.row()
	if s.kernel != 3 || c == nil || min(s.depth, s.width) >= wideChannels && s.winogradTiles() <= fewTiles {
		return false
	}
	return c.byWeights > 1
}
