//go:build !amd64

package cpu

// implementations returns the sets of kernels that this processor can run, the
// fastest first.
func implementations() []*kernels { return []*kernels{portable()} }
