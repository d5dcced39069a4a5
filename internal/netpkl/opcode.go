package netpkl

// The instructions that the walk itself knows by name, from the pickle
// protocols 0 to 5.
const (
	opMark       = '('
	opStop       = '.'
	opBinInt     = 'J'
	opBinPersID  = 'Q'
	opProto      = 0x80
	opFrame      = 0x95
	opMemoize    = 0x94
	firstProto   = 2 // Python 3 writes nothing older unless told to
	highestProto = 5
)

// form is the form of an instruction's argument.
type form int

const (
	refused form = iota
	plain        // nothing
	fixed        // size bytes
	counted      // a length of size bytes, then as many bytes
	lines        // two lines
)

// instruction is how an instruction is read.
type instruction struct {
	form form
	size int
	// text tells strings from bytes; both may be left in the file.
	text bool
	// whole is for numbers, which are copied whatever their length.
	whole bool
	// marks is the change in the number of open marks.
	marks int
}

// lookup returns how an instruction is read. Text forms of protocol 0, class
// instances of Python 2, extension codes and out-of-band buffers are refused:
// no network pickle has them.
func lookup(op byte) instruction {
	switch op {
	case opMark:
		return instruction{form: plain, marks: 1}
	case 't', 'l', 'd', 'e', 'u', '1', 0x90, 0x91: // TUPLE LIST DICT APPENDS SETITEMS POP_MARK ADDITEMS FROZENSET
		return instruction{form: plain, marks: -1}
	case opStop, '0', '2', 'N', 'R', 'a', 'b', '}', ']', 's', ')', // STOP POP DUP NONE REDUCE APPEND BUILD EMPTY_DICT EMPTY_LIST SETITEM EMPTY_TUPLE
		0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x92, 0x93, opMemoize, opBinPersID: // NEWOBJ TUPLE1-3 NEWTRUE NEWFALSE EMPTY_SET NEWOBJ_EX STACK_GLOBAL
		return instruction{form: plain}
	case 'K', 'h', 'q', opProto: // BININT1 BINGET BINPUT
		return instruction{form: fixed, size: 1}
	case 'M': // BININT2
		return instruction{form: fixed, size: 2}
	case opBinInt, 'j', 'r': // LONG_BINGET LONG_BINPUT
		return instruction{form: fixed, size: 4}
	case 'G', opFrame: // BINFLOAT
		return instruction{form: fixed, size: 8}
	case 'c': // GLOBAL
		return instruction{form: lines}
	case 0x8a: // LONG1
		return instruction{form: counted, size: 1, whole: true}
	case 0x8c, 'X', 0x8d: // SHORT_BINUNICODE BINUNICODE BINUNICODE8
		return instruction{form: counted, size: lengthSize(op, 0x8c, 'X'), text: true}
	case 'C', 'B', 0x8e: // SHORT_BINBYTES BINBYTES BINBYTES8
		return instruction{form: counted, size: lengthSize(op, 'C', 'B')}
	}
	return instruction{form: refused}
}

// lengthSize returns the bytes of a counted instruction's length.
func lengthSize(op, short, medium byte) int {
	switch op {
	case short:
		return 1
	case medium:
		return 4
	}
	return 8
}
