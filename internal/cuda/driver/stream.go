//go:build gpu

package driver

import (
	"time"
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work that the device does in order. Streams run beside
// each other; events order them. Nothing that a Stream is given is done when the
// method returns: see Synchronize. While Capture records, the same methods add
// to the graph instead.
type Stream struct {
	device *Device
	stream cu.Stream
}

// NewStream returns a new stream, which does not wait for the default stream.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{device: d}
	err := d.Do(func() error {
		var err error
		if s.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
			return wrap("cuStreamCreate", err)
		}
		d.held.keep(s, s.Close)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close destroys the stream. Work that is queued is still done.
func (s *Stream) Close() error {
	if s.stream == cu.NoStream {
		return nil
	}
	return s.device.Do(func() error {
		s.device.held.drop(s)
		return wrap("cuStreamDestroy_v2", s.stream.Destroy())
	})
}

// Upload queues a copy of n bytes at the offset of src to the device memory at
// dst. src must not change before the copy is done.
func (s *Stream) Upload(dst uint64, src *Pinned, offset, n int) error {
	from, err := src.part(offset, n)
	if err != nil {
		return err
	}
	return s.device.Do(func() error {
		s.device.up.Add(int64(n))
		return wrap("cuMemcpyHtoDAsync_v2", cu.MemcpyHtoDAsync(cu.DevicePtr(dst), from, int64(n), s.stream))
	})
}

// Download queues a copy of n bytes of device memory at src to the offset of
// dst, which must not be read before the copy is done.
func (s *Stream) Download(dst *Pinned, offset, n int, src uint64) error {
	to, err := dst.part(offset, n)
	if err != nil {
		return err
	}
	return s.device.Do(func() error {
		s.device.down.Add(int64(n))
		return wrap("cuMemcpyDtoHAsync_v2", cu.MemcpyDtoHAsync(to, cu.DevicePtr(src), int64(n), s.stream))
	})
}

// Copy queues a copy of n bytes within device memory; the two places must not
// overlap.
func (s *Stream) Copy(dst, src uint64, n int64) error {
	return s.device.Do(func() error {
		return wrap("cuMemcpyDtoDAsync_v2", cu.MemcpyDtoDAsync(cu.DevicePtr(dst), cu.DevicePtr(src), n, s.stream))
	})
}

// Fill queues the setting of n 32-bit words of device memory at dst, which is a
// multiple of 4.
func (s *Stream) Fill(dst uint64, word uint32, n int64) error {
	return s.device.Do(func() error {
		return wrap("cuMemsetD32Async", cu.MemsetD32Async(cu.DevicePtr(dst), uint(word), n, s.stream))
	})
}

// Record makes the event stand for all that was queued before.
func (s *Stream) Record(e *Event) error {
	return s.device.Do(func() error { return wrap("cuEventRecord", e.event.Record(s.stream)) })
}

// Wait makes what is queued from now on wait for what the event stands for.
func (s *Stream) Wait(e *Event) error {
	return s.device.Do(func() error { return wrap("cuStreamWaitEvent", s.stream.Wait(e.event, 0)) })
}

// Synchronize waits until all that was queued is done. Errors of kernels show
// here, or in any later call.
func (s *Stream) Synchronize() error {
	return s.device.Do(func() error { return wrap("cuStreamSynchronize", s.stream.Synchronize()) })
}

// raw returns the driver's handle.
func (s *Stream) raw() unsafe.Pointer { return unsafe.Pointer(s.stream.C()) }

// Event is a mark in a stream.
type Event struct {
	device *Device
	event  cu.Event
}

// NewEvent returns an event that was not recorded yet. One that takes times is a
// little slower.
func (d *Device) NewEvent(times bool) (*Event, error) {
	flags := cu.DisableTiming
	if times {
		flags = cu.DefaultEvent
	}
	e := &Event{device: d}
	err := d.Do(func() error {
		var err error
		if e.event, err = cu.MakeEvent(flags); err != nil {
			return wrap("cuEventCreate", err)
		}
		d.held.keep(e, e.Close)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Synchronize waits for the work before the event; it returns at once for an event that was never recorded.
func (e *Event) Synchronize() error {
	return e.device.Do(func() error { return wrap("cuEventSynchronize", e.event.Synchronize()) })
}

// Since returns the time that the device took between two recorded events, both
// made to take times, whose work is done.
func (e *Event) Since(start *Event) (time.Duration, error) {
	var ms float64
	err := e.device.Do(func() error {
		var err error
		ms, err = start.event.Elapsed(e.event)
		return wrap("cuEventElapsedTime", err)
	})
	return time.Duration(ms * float64(time.Millisecond)), err
}

// Close destroys the event.
func (e *Event) Close() error {
	if e.event == (cu.Event{}) {
		return nil
	}
	return e.device.Do(func() error {
		e.device.held.drop(e)
		return wrap("cuEventDestroy_v2", cu.DestroyEvent(&e.event))
	})
}
