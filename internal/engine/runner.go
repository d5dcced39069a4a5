package engine

import (
	"time"

	"gorgonia.org/tensor"
)

// Executor is implemented by a Backend that runs whole programs in place of
// single kernels: those of a GPU, which its host only starts. Its Kernel is
// never asked for one.
type Executor interface {
	// Layout returns the pieces of a program's arena. The program's steps and values are
	// known, and their places are not. An error names an operation that the backend
	// cannot run.
	Layout(p *Program) (Layout, error)
	// NewRunner prepares a program and allocates its arena. An error about too
	// little memory is an *OutOfMemory.
	NewRunner(p *Program) (Runner, error)
}

// Runner runs one program. It is for one goroutine at a time.
type Runner interface {
	// Bind makes b the memory of the input or output with the given number until
	// the next Bind. Slices that are mirrored (Memory) are used where their
	// counterparts are; others are copied from and to the host by each run. The
	// version is that of Args.
	Bind(id int, b Buffer, version uint64)
	// Start begins a run with the present contents of the inputs. The caller may change
	// inputs that are not mirrored as soon as it returns.
	Start() error
	// Wait ends the run: its outputs are complete. No other may start before.
	Wait() error
	// RunTimed is Start and Wait with the time of every step.
	RunTimed(report func(s *Step, d time.Duration)) error
	// Close gives the arena back.
	Close() error
}

// Role is the role of a value in a program.
type Role uint8

// The roles.
const (
	Intermediate Role = iota // lies in the arena
	Input                    // bound by the caller, read
	Output                   // bound by the caller, written
)

// Value describes a value of a program.
type Value struct {
	Shape tensor.Shape
	DType DType
	Role  Role
	Span  Span // place in the arena, of an intermediate that is there; else empty
}

// NumValues returns the number of values of the program.
func (p *Program) NumValues() int { return len(p.values) }

// Value describes value number id.
func (p *Program) Value(id int) Value {
	v := p.values[id]
	return Value{Shape: v.shape, DType: v.dtype, Role: v.role, Span: v.span}
}

// Piece returns the place in the arena of the layout's piece number i.
func (p *Program) Piece(i int) Span { return p.places[i] }

// ArenaLen returns the size of the arena in elements.
func (p *Program) ArenaLen() int { return p.arena }

// Prefetcher is implemented by a Runner that can bring the next run's inputs to
// the device while this run computes.
type Prefetcher interface {
	// Prefetch sends the inputs on their way as they are now. Between Start and
	// Wait it is for the run after; the caller may change them again before that
	// run starts.
	Prefetch() error
}
