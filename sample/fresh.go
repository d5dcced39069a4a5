package sample

import "fmt"

// fresh hands out the draws of a run's Noise and computes the next one on a
// goroutine of its own while the network works on the present step. Its
// goroutine's body and channel are made once, so that a warm run allocates
// nothing.
type fresh struct {
	noise Noise
	total uint64
	wants func(draw uint64) bool // nil: all below total

	ahead []float64 // filled by the goroutine
	draw  uint64    // its number
	busy  bool      // under way, or done and not yet taken
	done  chan error
	fill  func()
}

func (f *fresh) begin(noise Noise, total int, wants func(uint64) bool, size int) {
	f.noise, f.total, f.wants = noise, uint64(total), wants
	if noise == nil || total == 0 {
		return
	}
	if cap(f.ahead) < size {
		f.ahead = make([]float64, size)
	}
	f.ahead = f.ahead[:size]
	if f.done == nil {
		f.done = make(chan error, 1)
		f.fill = func() { f.done <- f.noise(f.ahead, f.draw) }
	}
	f.start(0)
}

// start computes the first wanted draw from number draw on.
func (f *fresh) start(draw uint64) {
	for ; draw < f.total; draw++ {
		if f.wants == nil || f.wants(draw) {
			f.draw, f.busy = draw, true
			go f.fill()
			return
		}
	}
}

// take writes a draw to dst and starts on the one after it.
func (f *fresh) take(dst []float64, draw uint64) error {
	if f.busy && f.draw == draw {
		err := <-f.done
		f.busy = false
		if err != nil {
			return err
		}
		copy(dst, f.ahead)
	} else {
		f.wait()
		if err := f.noise(dst, draw); err != nil {
			return err
		}
	}
	f.start(draw + 1)
	return nil
}

// wait lets a draw under way finish.
func (f *fresh) wait() {
	if f.busy {
		<-f.done
		f.busy = false
	}
}

func (f *fresh) end() {
	f.wait()
	f.noise, f.wants = nil, nil
}

// Draw writes the unit normals of a draw, [N, Dim], to dst, for step i.
func (r *Run) Draw(dst []float64, i int, draw uint64) error {
	if err := r.fresh.take(dst, draw); err != nil {
		return fmt.Errorf("sample: step %d of %d: %w", i, r.Steps(), err)
	}
	return nil
}
