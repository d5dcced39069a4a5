//go:build gpu

package cuda

import (
	"fmt"
	"os"

	"edm/internal/cuda/driver"
)

// trailVariable names the environment variable that, set to 0, has the kernels of
// graphs leave no trail. Its default is 1.
const trailVariable = "EDM_CUDA_TRAIL"

// leavingTrails reports whether they leave one.
func leavingTrails() (bool, error) {
	switch v := os.Getenv(trailVariable); v {
	case "", "1":
		return true, nil
	case "0":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q in the environment, want 0 or 1", trailVariable, v)
	}
}

// placed is a launch with the number of its step in a program.
type placed struct {
	launch
	step int
}

// trail tells how far a graph came. A fault is known only when the whole graph is
// waited for, without the kernel's name, and then the device's memory cannot be
// read: so each kernel of the graph sets a word in the host's memory when it
// begins.
type trail struct {
	launches []placed
	memory   *driver.Pinned // nil where no words are set, or there are no launches
	words    []uint32       // one a launch, in memory
}

// newTrail returns the trail of a graph's launches.
func (b *Backend) newTrail(launches []placed) (*trail, error) {
	t := &trail{launches: launches}
	if !b.trails || len(launches) == 0 {
		return t, nil
	}
	var err error
	if t.memory, err = b.allocHost("a graph's trail", b.device.AllocMapped, 4*len(launches)); err != nil {
		return nil, err
	}
	t.words = driver.View[uint32](t.memory)
	return t, nil
}

// mark returns the address of a launch's word on the device, or 0 for none.
func (t *trail) mark(i int) pointer {
	if t.memory == nil {
		return 0
	}
	return pointer(t.memory.Address()).plus(i)
}

// clear makes the trail that of a graph that was not started.
func (t *trail) clear() { clear(t.words) }

// last returns the launch that began last, or nil. The launches of a graph run
// one after the other, so a fault is that launch's own, or was noticed after the
// next one had begun.
func (t *trail) last() *placed {
	for i := len(t.words) - 1; i >= 0; i-- {
		if t.words[i] != 0 {
			return &t.launches[i]
		}
	}
	return nil
}

// close gives the memory back.
func (t *trail) close() error {
	if t.memory == nil {
		return nil
	}
	t.words = nil
	return t.memory.Close()
}
