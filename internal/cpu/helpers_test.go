package cpu

import "testing"

// eachKernels runs a test body on every implementation that this machine has.
func eachKernels(t *testing.T, f func(t *testing.T, k *kernels)) {
	t.Helper()
	for _, k := range implementations() {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// eachBackend is eachKernels with a backend of two threads.
func eachBackend(t *testing.T, f func(t *testing.T, b *Backend)) {
	t.Helper()
	eachKernels(t, func(t *testing.T, k *kernels) {
		b := newBackend(k, 2)
		defer b.Close()
		f(t, b)
	})
}
