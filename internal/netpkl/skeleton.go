package netpkl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// limits bound one pickle. Their product bounds the memory of the machine, even in the
// texts of its errors, which print values.
type limits struct {
	ops    int // instructions
	marks  int // open marks: how deep containers nest in the making
	blobs  int // strings left in the file
	inline int // bytes of the longest string that is not
}

// outerLimits are for network pickles: the largest published one has under a
// hundred thousand instructions, a mark depth of forty and names of forty bytes.
func outerLimits() limits { return limits{ops: 1 << 18, marks: 1 << 10, blobs: 1 << 16, inline: 48} }

// innerLimits are for the few pickles inside a stored tensor.
func innerLimits() limits { return limits{ops: 1 << 8, marks: 1 << 4, blobs: 0, inline: 48} }

// blob is a string that was left in the file.
type blob struct {
	off, size int64
	text      bool
}

// skeleton is a pickle without its frames, whose blobs are persistent
// references: the number of the blob.
type skeleton struct {
	code  []byte
	blobs []*blob
	end   int64 // place of the first byte after the pickle
}

// scan walks the pickle at src and returns its skeleton. persistent says
// whether it may have references of its own.
func scan(src *source, lim limits, persistent bool) (*skeleton, error) {
	s := &scanner{src: src, lim: lim, persistent: persistent}
	for {
		at := src.off
		op, err := s.step()
		if err != nil {
			return nil, fmt.Errorf("instruction at byte %d: %w", at, err)
		}
		if op == opStop {
			s.out.end = src.off
			return &s.out, nil
		}
	}
}

type scanner struct {
	src        *source
	lim        limits
	persistent bool
	ops, marks int
	out        skeleton
}

// step copies one instruction.
func (s *scanner) step() (byte, error) {
	b, err := s.src.next(1)
	if err != nil {
		return 0, err
	}
	op := b[0]
	if err := s.admit(op); err != nil {
		return 0, err
	}
	switch in := lookup(op); in.form {
	case plain:
		s.emit(op)
	case fixed:
		err = s.fixed(op, in.size)
	case counted:
		err = s.counted(op, in)
	case lines:
		err = s.lines(op)
	default:
		err = fmt.Errorf("pickle instruction 0x%02x is not one that network pickles use", op)
	}
	return op, err
}

// admit counts an instruction and holds the counts to their limits.
func (s *scanner) admit(op byte) error {
	s.ops++
	s.marks += lookup(op).marks
	switch {
	case s.ops == 1 && op != opProto:
		return errors.New("not a pickle: it does not start with a protocol number")
	case s.ops > 1 && op == opProto:
		return errors.New("a second protocol number")
	case s.ops > s.lim.ops:
		return fmt.Errorf("more than %d instructions", s.lim.ops)
	case s.marks > s.lim.marks:
		return fmt.Errorf("nested deeper than %d", s.lim.marks)
	case op == opBinPersID && !s.persistent:
		return errors.New("a persistent reference, which network pickles do not have")
	}
	return nil
}

func (s *scanner) emit(b ...byte) { s.out.code = append(s.out.code, b...) }

func (s *scanner) fixed(op byte, size int) error {
	arg, err := s.src.next(size)
	if err != nil {
		return err
	}
	if op == opFrame { // a hint for buffering, and a length not to be believed
		return nil
	}
	if op == opProto && (arg[0] < firstProto || arg[0] > highestProto) {
		return fmt.Errorf("pickle protocol %d, want %d to %d", arg[0], firstProto, highestProto)
	}
	s.emit(op)
	s.emit(arg...)
	return nil
}

func (s *scanner) counted(op byte, in instruction) error {
	arg, err := s.src.next(in.size)
	if err != nil {
		return err
	}
	var length [8]byte
	copy(length[:], arg)
	n := binary.LittleEndian.Uint64(length[:])
	if n > uint64(s.lim.inline) {
		return s.leave(n, in)
	}
	s.emit(op)
	s.emit(length[:in.size]...)
	data, err := s.src.next(int(n))
	s.emit(data...)
	return err
}

// leave replaces a string by the number of a blob.
func (s *scanner) leave(n uint64, in instruction) error {
	if in.whole {
		return fmt.Errorf("an integer of %d bytes", n)
	}
	if len(s.out.blobs) == s.lim.blobs {
		return fmt.Errorf("more than %d strings longer than %d bytes", s.lim.blobs, s.lim.inline)
	}
	at, err := s.src.skip(n)
	if err != nil {
		return err
	}
	s.emit(opBinInt)
	s.out.code = binary.LittleEndian.AppendUint32(s.out.code, uint32(len(s.out.blobs)))
	s.emit(opBinPersID)
	s.out.blobs = append(s.out.blobs, &blob{at, int64(n), in.text})
	return nil
}

// lines copies the module and the name of a global.
func (s *scanner) lines(op byte) error {
	s.emit(op)
	for range 2 {
		l, err := s.src.line()
		if err != nil {
			return err
		}
		if len(l) > s.lim.inline {
			return fmt.Errorf("a global's name of %d bytes", len(l))
		}
		s.emit(l...)
		s.emit('\n')
	}
	return nil
}

// sniff names the commonest files that are no network pickles.
func sniff(r io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 4))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(head) == 0:
		return errors.New("the file is empty")
	case string(head) == "PK\x03\x04":
		return errors.New("a zip file (a state dict of torch.save?), want a network pickle")
	case head[0] != opProto:
		return fmt.Errorf("not a pickle: it starts with %q", head)
	}
	return nil
}
