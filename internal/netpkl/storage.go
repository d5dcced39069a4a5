package netpkl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"

	"github.com/nlpodyssey/gopickle/types"
)

// storageKind is a class of torch's storages.
type storageKind struct {
	name string
	size int64                // bytes of an element
	at   func([]byte) float32 // the first element; nil if it is no float
}

// storage is the memory of tensors, still in the file.
type storage struct {
	kind *storageKind
	off  int64 // in the file
	len  int64 // elements
}

// storageGlobals returns the names allowed in the pickles inside a stored tensor.
func storageGlobals() map[string]any {
	out := map[string]any{}
	for _, k := range []storageKind{
		{"FloatStorage", 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
		{"DoubleStorage", 8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
		{"HalfStorage", 2, func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) }},
		{"BFloat16Storage", 2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }},
		{"LongStorage", 8, nil}, {"IntStorage", 4, nil}, {"ShortStorage", 2, nil},
		{"CharStorage", 1, nil}, {"ByteStorage", 1, nil}, {"BoolStorage", 1, nil},
	} {
		out["torch."+k.name] = &k
	}
	return out
}

// half returns the value of an IEEE 754 binary16 number.
func half(b uint16) float32 {
	sign := math.Copysign(1, float64(int16(b)))
	exponent, fraction := int(b>>10&31), float64(b&1023)
	switch exponent {
	case 0:
		return float32(sign * math.Ldexp(fraction, -24))
	case 31:
		if fraction != 0 {
			return float32(math.NaN())
		}
		return float32(math.Inf(int(sign)))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}

// storages reads the headers of stored tensors, each once.
type storages struct {
	r     io.ReaderAt
	known map[*blob]*storage
}

// load is torch.storage._load_from_bytes: its argument is a whole file of
// torch.save with one storage inside, in the old format or the zip format.
func (s *storages) load(args []any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%d arguments, want 1", len(args))
	}
	b, ok := args[0].(*blob)
	if !ok || b.text {
		return nil, fmt.Errorf("made from %s, want the bytes of a torch.save file", kindOf(args[0]))
	}
	if st, ok := s.known[b]; ok {
		return st, nil
	}
	head := make([]byte, min(4, b.size))
	if _, err := s.r.ReadAt(head, b.off); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	parse := parseLegacy
	if string(head) == "PK\x03\x04" {
		parse = parseZip
	}
	st, err := parse(s.r, b)
	if err != nil {
		return nil, fmt.Errorf("torch.save file at byte %d: %w", b.off, err)
	}
	s.known[b] = st
	return st, nil
}

// The old format's marks.
const (
	legacyMagic   = "1950a86a20f9469cfc6c"
	legacyVersion = 1001
)

// parseLegacy reads the old format: five pickles - magic number, version, system,
// the saved object, the names of its storages - then for each storage its number
// of elements and its bytes.
func parseLegacy(r io.ReaderAt, b *blob) (*storage, error) {
	src := newSource(r, b.off, b.size)
	refs := &mentions{kinds: storageGlobals()}
	var parts [5]any
	for i := range parts {
		sk, err := scan(src, innerLimits(), true)
		if err == nil {
			parts[i], err = sk.load(refs.kinds, refs.resolve)
		}
		if err != nil {
			return nil, fmt.Errorf("pickle %d of 5: %w", i+1, err)
		}
	}
	if magic, ok := parts[0].(*big.Int); !ok || magic.Text(16) != legacyMagic || parts[1] != legacyVersion {
		return nil, errors.New("not a file of torch.save: another magic number or version")
	}
	if err := littleEndian(parts[2]); err != nil {
		return nil, err
	}
	ref, err := refs.only(parts[3])
	if err != nil {
		return nil, err
	}
	if keys, ok := items(parts[4]); !ok || len(keys) != 1 || keys[0] != ref.key {
		return nil, errors.New("its list of storages is not the one storage that it saves")
	}
	head, err := src.next(8)
	if err != nil {
		return nil, err
	}
	if n := binary.LittleEndian.Uint64(head); n != uint64(ref.len) {
		return nil, fmt.Errorf("the storage has %d elements here and %d there", n, ref.len)
	}
	return ref.place(src.off, src.end-src.off)
}

// littleEndian holds the writer's system to the only byte order that is read.
func littleEndian(system any) error {
	fields, err := fieldsOf(system)
	if err != nil {
		return fmt.Errorf("system: %w", err)
	}
	if fields["little_endian"] != true {
		return errors.New("written on a big-endian machine")
	}
	return nil
}

// mention is a saved object's mention of a storage.
type mention struct {
	kind *storageKind
	key  string
	len  int64
}

// mentions collects those of one saved object.
type mentions struct {
	kinds map[string]any
	seen  *mention
}

// resolve turns torch's persistent reference ("storage", class, key, device,
// elements, view) into a mention.
func (r *mentions) resolve(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if !ok || t.Len() < 5 || t.Len() > 6 || t.Get(0) != "storage" {
		return nil, refuse("a reference that is not torch's to a storage")
	}
	kind, isKind := t.Get(1).(*storageKind)
	key, isKey := t.Get(2).(string)
	n, isLen := t.Get(4).(int)
	if !isKind || !isKey || !isLen || n < 0 {
		return nil, refuse("a storage of class %s, key %s and length %s", kindOf(t.Get(1)), kindOf(t.Get(2)), kindOf(t.Get(4)))
	}
	if t.Len() == 6 && t.Get(5) != nil {
		return nil, refuse("a storage that is a view of another")
	}
	r.seen = &mention{kind, key, int64(n)}
	return r.seen, nil
}

// only returns the mention that the saved object is.
func (r *mentions) only(saved any) (*mention, error) {
	ref, ok := saved.(*mention)
	if !ok || ref != r.seen {
		return nil, fmt.Errorf("it saves %s, want one storage", kindOf(saved))
	}
	return ref, nil
}

// place returns the storage whose bytes are those at off.
func (r *mention) place(off, size int64) (*storage, error) {
	if r.len > math.MaxInt64/r.kind.size || r.len*r.kind.size != size {
		return nil, fmt.Errorf("%d bytes for a %s of %d elements", size, r.kind.name, r.len)
	}
	return &storage{r.kind, off, r.len}, nil
}
