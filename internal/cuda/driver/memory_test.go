//go:build gpu

package driver_test

import (
	"testing"

	"edm/internal/cuda/driver"
)

// A kernel that begins writes to the word of mapped memory that it was given, and
// to no other.
func TestMappedMemory(t *testing.T) {
	b := newBench(t)
	m, err := b.AllocMapped(4 * 3)
	must(t, err)
	words := driver.View[uint32](m)
	clear(words)
	var a driver.Args
	a.Pointer(b.x)
	a.Pointer(b.y)
	a.Int64(0)
	a.Float32(1)
	a.Pointer(m.Address() + 4)
	must(t, b.work.Launch(b.scale, [3]int{3, 1, 1}, [3]int{256, 1, 1}, 0, &a))
	must(t, b.work.Synchronize())
	if words[0] != 0 || words[1] != 1 || words[2] != 0 {
		t.Errorf("words %v, want the second set", words)
	}
	must(t, m.Close())
	must(t, m.Close())
	if m.Address() != 0 || b.host.Address() != 0 {
		t.Error("memory that is freed, or only page-locked, has an address on the device")
	}
	if _, err := b.AllocMapped(0); err == nil {
		t.Error("allocated 0 bytes")
	}
}
