package cpu

// useWinograd tells whether a convolution or its gradient by data is faster by
// F(4x4,3x3) than directly.
func useWinograd(s convShape) bool {
	return s.kernel == 3 && min(s.depth, s.width) >= 8
}

// useWinogradWeights is useWinograd for the gradient by weights.
func useWinogradWeights(s convShape) bool {
	return s.kernel == 3 && min(s.depth, s.width) >= 8
}
