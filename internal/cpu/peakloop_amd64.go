package cpu

// fmaLoopOf returns the loop with the instructions of a set of kernels.
func fmaLoopOf(kernels string) fmaLoop {
	switch kernels {
	case "avx512":
		return fmaLoop{run: fmaLoopAVX512, chains: 24, lanes: 16}
	case "avx2":
		return fmaLoop{run: fmaLoopAVX2, chains: 12, lanes: 8}
	}
	return portableFMALoop()
}
