//go:build !amd64

package cpu

// fmaLoopOf returns the loop with the instructions of a set of kernels.
func fmaLoopOf(string) fmaLoop { return portableFMALoop() }
