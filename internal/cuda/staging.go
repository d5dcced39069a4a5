//go:build gpu

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"edm/internal/cuda/driver"
	"edm/internal/engine"
)

// stagedAlign is the alignment of staged arrays in bytes.
const stagedAlign = 256

// staged is an input or output of a program that has no counterpart on the
// device: it has a fixed place there, and one in page-locked memory.
type staged struct {
	block   *block
	at      int // bytes from the block's begin
	size    int
	host    []byte // the bound buffer
	version uint64 // of the bound buffer; see engine.Args
	held    uint64 // of the page-locked copy, if not 0
	from    *byte  // and which memory that was
}

// block is a piece of device memory for staged arrays, inputs or outputs. Inputs
// land beside it: the next run's arrive while this one still reads its own.
type block struct {
	device, landing pointer // landing is 0 for outputs
	pinned          *driver.Pinned
	bytes           []byte // of pinned
	members         []*staged
	from, to        int // bytes of the landing place that are new to the device place
}

// newBlock gives members their places in a new block, or leaves them without.
func (b *Backend) newBlock(members []*staged, inputs bool) (*block, error) {
	k := &block{members: members}
	size := 0
	for _, s := range members {
		size += roundUp(s.size)
	}
	if size > 0 {
		if err := b.fill(k, size, inputs); err != nil {
			return nil, errors.Join(err, b.freeBlock(k))
		}
	}
	at := 0
	for _, s := range members {
		s.block, s.at = k, at
		at += roundUp(s.size)
	}
	return k, nil
}

// roundUp returns the bytes that a staged array of n bytes takes.
func roundUp(n int) int { return (n + stagedAlign - 1) / stagedAlign * stagedAlign }

// fill allocates the memory of a block.
func (b *Backend) fill(k *block, size int, inputs bool) error {
	var err error
	if k.device, err = b.alloc("a program's inputs and outputs", int64(size)); err == nil && inputs {
		k.landing, err = b.alloc("a program's inputs", int64(size))
	}
	if err == nil {
		k.pinned, err = b.allocHost("a program's inputs and outputs", b.device.AllocPinned, size)
	}
	if err == nil {
		k.bytes = driver.View[byte](k.pinned)
	}
	return err
}

// freeBlock gives the memory of a block back.
func (b *Backend) freeBlock(k *block) error {
	err := errors.Join(b.free(k.device), b.free(k.landing))
	if k.pinned != nil {
		err = errors.Join(err, k.pinned.Close())
	}
	return err
}

// place returns where a staged array lies on the device.
func (s *staged) place() pointer { return s.block.device + pointer(s.at) }

// pinned returns its page-locked copy.
func (s *staged) pinned() []byte { return s.block.bytes[s.at : s.at+s.size] }

// collect copies what is new in a block's inputs to page-locked memory and
// returns its range.
func (k *block) collect() (from, to int) {
	for _, s := range k.members {
		if len(s.host) == 0 || s.unchanged() {
			continue
		}
		copy(s.pinned(), s.host)
		s.held, s.from = s.version, &s.host[0]
		if to == 0 {
			from = s.at
		}
		to = s.at + s.size
	}
	return from, to
}

// unchanged reports whether the page-locked copy equals the bound buffer.
func (s *staged) unchanged() bool {
	if s.from == nil { // nothing yet
		return false
	}
	if s.version != 0 && s.version == s.held && s.from == &s.host[0] {
		return true
	}
	return bytes.Equal(s.pinned(), s.host)
}

// deliver copies a block's outputs from page-locked memory to the bound buffers.
func (k *block) deliver() {
	for _, s := range k.members {
		copy(s.host, s.pinned())
	}
}

// bytesOf returns the memory of a buffer.
func bytesOf(b engine.Buffer) []byte {
	switch {
	case len(b.F32) > 0:
		return unsafe.Slice((*byte)(unsafe.Pointer(&b.F32[0])), 4*len(b.F32))
	case len(b.I64) > 0:
		return unsafe.Slice((*byte)(unsafe.Pointer(&b.I64[0])), 8*len(b.I64))
	}
	return nil
}

// lanes are the staged inputs and outputs of one program and what orders their
// copies.
type lanes struct {
	b               *Backend
	inputs, outputs []*block
	uploaded        *driver.Event // the copies of the copy stream are complete
	taken           *driver.Event // the compute stream has read them
}

func (l *lanes) init(b *Backend) error {
	l.b = b
	var err error
	if l.uploaded, err = b.device.NewEvent(false); err != nil {
		return err
	}
	l.taken, err = b.device.NewEvent(false)
	return err
}

// add makes a block for inputs or outputs that have no place yet.
func (l *lanes) add(members []*staged, inputs bool) error {
	if len(members) == 0 {
		return nil
	}
	k, err := l.b.newBlock(members, inputs)
	if err != nil {
		return err
	}
	if inputs {
		l.inputs = append(l.inputs, k)
	} else {
		l.outputs = append(l.outputs, k)
	}
	return nil
}

// upload sends what is new in the inputs on its way, beside whatever computes.
// After an error nothing counts as sent.
func (l *lanes) upload() error {
	err := l.send()
	if err == nil {
		return nil
	}
	for _, k := range l.inputs {
		k.from, k.to = 0, 0
		for _, s := range k.members {
			s.from = nil
		}
	}
	// Page-locked memory may be written again once no copy reads it.
	return errors.Join(err, l.b.copies.Synchronize())
}

func (l *lanes) send() error {
	// The copy stream may still read what the last call left in page-locked memory.
	if err := l.uploaded.Synchronize(); err != nil {
		return err
	}
	s := l.b.copies
	sent := false
	for _, k := range l.inputs {
		from, to := k.collect()
		if to == 0 {
			continue
		}
		if !sent {
			if err := s.Wait(l.taken); err != nil {
				return err
			}
			sent = true
		}
		if err := s.Upload(uint64(k.landing)+uint64(from), k.pinned, from, to-from); err != nil {
			return err
		}
		if k.to == 0 {
			k.from = from
		}
		k.from, k.to = min(k.from, from), max(k.to, to)
	}
	if !sent {
		return nil
	}
	return s.Record(l.uploaded)
}

// take makes what landed the input of the run that follows.
func (l *lanes) take() error {
	s := l.b.compute
	taken := false
	for _, k := range l.inputs {
		if k.to == 0 {
			continue
		}
		if !taken {
			if err := s.Wait(l.uploaded); err != nil {
				return err
			}
			taken = true
		}
		from := pointer(k.from)
		if err := s.Copy(uint64(k.device+from), uint64(k.landing+from), int64(k.to-k.from)); err != nil {
			return err
		}
		k.from, k.to = 0, 0
	}
	if !taken {
		return nil
	}
	return s.Record(l.taken)
}

// download queues the copies of the outputs behind the run.
func (l *lanes) download() error {
	for _, k := range l.outputs {
		if len(k.bytes) == 0 {
			continue
		}
		if err := l.b.compute.Download(k.pinned, 0, len(k.bytes), uint64(k.device)); err != nil {
			return err
		}
	}
	return nil
}

// close gives everything back.
func (l *lanes) close() error {
	var errs []error
	for _, k := range append(l.inputs, l.outputs...) {
		errs = append(errs, l.b.freeBlock(k))
	}
	l.inputs, l.outputs = nil, nil
	for _, e := range []*driver.Event{l.uploaded, l.taken} {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("inputs and outputs: %w", err)
	}
	return nil
}
