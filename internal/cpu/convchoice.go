package cpu

// choice is how many times faster than the direct algorithm F(4x4,3x3) was for
// one layer, forward, by data and by weights.
type choice struct {
	channels, side             int // of the narrower side of the layer; of the image
	forward, byData, byWeights float64
}

// choices was measured by BenchmarkChoices with AVX-512. A layer is decided by
// the last row that is at most as wide and as large as it is. Other sets of
// kernels follow the same table, so that all of them give equal results.
var choices = []choice{
	{16, 4, 1.84, 1.56, 1.29},
	{16, 6, 1.22, 1.33, 0.84},
	{16, 8, 1.40, 1.95, 1.27},
	{16, 16, 1.46, 1.30, 1.31},
	{16, 32, 1.29, 1.24, 1.51},
	{32, 4, 2.26, 2.40, 1.89},
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

// useWinogradWeights is useWinograd for the gradient by weights.
func useWinogradWeights(s convShape) bool {
	c := s.row()
	return s.kernel == 3 && c != nil && c.byWeights > 1
}
