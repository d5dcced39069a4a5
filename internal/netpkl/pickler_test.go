package netpkl

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

// The values that pickled writes besides nil, bool, int, float64, string and
// []byte.
type (
	list   []any
	tuple  []any
	dict   []field
	global struct{ module, name string }
	// call is REDUCE; make is NEWOBJ; build gives a value its state.
	call  struct{ function, args any }
	maker struct{ class any }
	build struct{ value, state any }
	pid   struct{ id any }
	fill  struct {
		value any
		items dict
	}
	// raw are instructions.
	raw []byte
)

type field struct {
	key   any
	value any
}

// pickler writes pickles by hand.
type pickler struct {
	bytes.Buffer
	proto byte
}

// pickled returns the pickle of v in a protocol from 2 to 5.
func pickled(proto byte, v any) []byte {
	p := &pickler{proto: proto}
	p.op(opProto, proto)
	if proto >= 4 {
		p.op(opFrame)
		p.count(8, 1<<40) // nobody may believe it
	}
	p.value(v)
	p.op(opStop)
	return p.Bytes()
}

func (p *pickler) op(b ...byte) { p.Write(b) }

func (p *pickler) count(size, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	p.Write(b[:size])
}

func (p *pickler) value(v any) {
	switch v := v.(type) {
	case nil:
		p.op('N')
	case bool:
		p.op(map[bool]byte{true: 0x88, false: 0x89}[v])
	case int:
		p.integer(v)
	case float64:
		p.op('G')
		p.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case string:
		p.text(v)
	case []byte:
		p.op('B')
		p.count(4, len(v))
		p.Write(v)
	case raw:
		p.Write(v)
	default:
		p.compound(v)
	}
}

func (p *pickler) compound(v any) {
	switch v := v.(type) {
	case list:
		p.op(']', opMark)
		p.each(v)
		p.op('e')
	case tuple:
		p.op(opMark)
		p.each(v)
		p.op('t')
	case dict:
		p.op('}')
		p.fields(v)
	case fill:
		p.value(v.value)
		p.fields(v.items)
	case global:
		p.global(v)
	case call:
		p.value(v.function)
		p.value(v.args)
		p.op('R')
	case maker:
		p.value(v.class)
		p.op(')', 0x81)
	case build:
		p.value(v.value)
		p.value(v.state)
		p.op('b')
	case pid:
		p.value(v.id)
		p.op(opBinPersID)
	default:
		panic(fmt.Sprintf("pickled: %T", v))
	}
}

func (p *pickler) each(values []any) {
	for _, v := range values {
		p.value(v)
	}
}

func (p *pickler) fields(d dict) {
	p.op(opMark)
	for _, f := range d {
		p.value(f.key)
		p.value(f.value)
	}
	p.op('u')
}

func (p *pickler) integer(v int) {
	switch {
	case v >= 0 && v < 1<<8:
		p.op('K', byte(v))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		p.op('J')
		p.count(4, v)
	default:
		p.op(0x8a, 8)
		p.count(8, v)
	}
}

func (p *pickler) text(s string) {
	if p.proto >= 4 && len(s) < 256 {
		p.op(0x8c, byte(len(s)))
	} else {
		p.op('X')
		p.count(4, len(s))
	}
	p.WriteString(s)
	if p.proto >= 4 {
		p.op(opMemoize)
	}
}

func (p *pickler) global(g global) {
	if p.proto < 4 {
		fmt.Fprintf(p, "c%s\n%s\n", g.module, g.name)
		return
	}
	p.text(g.module)
	p.text(g.name)
	p.op(0x93)
}

// ordered is a collections.OrderedDict.
func ordered(items dict) any {
	return fill{call{global{"collections", "OrderedDict"}, tuple{}}, items}
}

// torchSaved returns what torch.save writes of one storage in the old format.
func torchSaved(kind string, elements int, data []byte) []byte {
	magic := raw{0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}
	system := dict{{"protocol_version", 1001}, {"little_endian", true}}
	return torchParts(magic, 1001, system, storageRef(kind, "94", elements), list{"94"}, elements, data)
}

func torchParts(magic, version, system, saved, keys any, elements int, data []byte) []byte {
	var out []byte
	for _, part := range []any{magic, version, system, saved, keys} {
		out = append(out, pickled(2, part)...)
	}
	out = binary.LittleEndian.AppendUint64(out, uint64(elements))
	return append(out, data...)
}

func storageRef(kind, key string, elements int) any {
	return pid{tuple{"storage", global{"torch", kind}, key, "cpu", elements, nil}}
}

// torchZipped is torchSaved in the zip format.
func torchZipped(t testing.TB, kind string, elements int, data []byte) []byte {
	t.Helper()
	saved := pickled(2, pid{tuple{"storage", global{"torch", kind}, "0", "cpu", elements}})
	return zipped(t, zip.Store, map[string][]byte{"archive/data.pkl": saved, "archive/byteorder": []byte("little"), "archive/data/0": data})
}

func zipped(t testing.TB, method uint16, members map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range members {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Calls of the globals that network pickles use.
func tensorOf(saved any, offset int, shape, stride tuple) any {
	storage := call{global{"torch.storage", "_load_from_bytes"}, tuple{saved}}
	return call{global{"torch._utils", "_rebuild_tensor_v2"}, tuple{storage, offset, shape, stride, false, ordered(nil)}}
}

func parameterOf(tensor any) any {
	return call{global{"torch._utils", "_rebuild_parameter"}, tuple{tensor, false, ordered(nil)}}
}

func persistent(class string, state any) any {
	meta := dict{{"type", "class"}, {"version", 6}, {"module_src", string(bytes.Repeat([]byte("# "), 100))}, {"class_name", class}, {"state", state}}
	return call{global{"torch_utils.persistence", "_reconstruct_persistent_obj"}, tuple{meta}}
}
