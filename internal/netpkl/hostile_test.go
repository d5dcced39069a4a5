package netpkl

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// mustRefuse reads a hostile file and holds the error to what it should say, to a
// bounded length and to bounded memory.
func mustRefuse(t *testing.T, name string, data []byte, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := readBytes(data)
	runtime.ReadMemStats(&after)
	switch {
	case err == nil:
		t.Errorf("%s: read as %+v, want an error", name, n.Config)
	case !strings.Contains(err.Error(), want):
		t.Errorf("%s: error %q, want %q in it", name, err, want)
	case len(err.Error()) > 1000:
		t.Errorf("%s: error of %d bytes", name, len(err.Error()))
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 512<<20 {
		t.Errorf("%s: allocated %d MB for a file of %d bytes", name, spent>>20, len(data))
	}
}

// ema returns a pickle whose network is v.
func ema(v any) []byte { return pickled(4, dict{{"ema", v}}) }

func TestHostileGlobals(t *testing.T) {
	for _, g := range []global{
		{"os", "system"}, {"posix", "system"}, {"nt", "system"}, {"builtins", "eval"}, {"builtins", "getattr"},
		{"subprocess", "Popen"}, {"torch", "load"}, {"torch.serialization", "load"}, {"copyreg", "_reconstructor"}, {"torch", "FloatStorage"},
	} {
		want := "uses " + g.module + "." + g.name
		mustRefuse(t, g.name, ema(call{g, tuple{"id"}}), want)
		p := tiny(t)
		p.set("note", list{1, tuple{call{g, tuple{"id"}}}})
		mustRefuse(t, g.name+" as an attribute", p.file(2), want)
		inner := torchParts(call{g, tuple{"id"}}, 1001, nil, nil, nil, 0, make([]byte, 100))
		if g.name == "FloatStorage" {
			want = "malformed" // a class, but not one to call
		}
		mustRefuse(t, g.name+" in a tensor", ema(tensorOf(inner, 0, tuple{}, tuple{})), want)
	}
}

func TestHostileInstructions(t *testing.T) {
	long := func(op byte, size int) raw { return append(raw{op}, bytes.Repeat([]byte{0x7f}, size)...) }
	for _, c := range []struct {
		name string
		code []byte
		want string
	}{
		{"an empty file", nil, "empty"},
		{"a text", []byte("version https://git"), "not a pickle"},
		{"a zip file", []byte("PK\x03\x04..."), "a zip file"},
		{"protocol 1", []byte("\x80\x01N."), "protocol 1"},
		{"protocol 6", []byte("\x80\x06N."), "protocol 6"},
		{"two protocols", []byte("\x80\x04\x80\x04N."), "second protocol"},
		{"nothing to return", []byte("\x80\x04."), "malformed"},
		{"an instance of Python 2", pickled(2, raw("(ios\nsystem\n")), "0x69"},
		{"an extension code", pickled(2, raw{0x82, 1}), "0x82"},
		{"an out-of-band buffer", pickled(5, raw{0x97}), "0x97"},
		{"a persistent reference", pickled(2, pid{"x"}), "persistent reference"},
		{"a persistent reference to a blob", pickled(2, list{bytes.Repeat([]byte("x"), 100), pid{0}}), "persistent reference"},
		{"a call on an empty stack", pickled(2, raw("R")), "malformed"},
		{"a call of a list", pickled(2, call{list{}, tuple{}}), "malformed"},
		{"a dict of one and a half pairs", pickled(2, raw("}(K\x01u")), "malformed"},
		{"a set of bytes", pickled(4, raw("\x8f(C\x01x\x90")), "malformed"},
		{"an integer without bytes", pickled(2, raw("\x8a\x00")), "malformed"},
		{"a memo entry that was never made", ema(raw("j\xff\xff\xff\xff")), `"ema" is None`},
		{"bytes beyond measure", pickled(4, long(0x8e, 8)), "truncated"},
		{"a string beyond measure", pickled(4, long(0x8d, 8)), "truncated"},
		{"an integer beyond measure", pickled(4, long(0x8a, 200)), "integer of 127 bytes"},
		{"an endless line", pickled(2, raw("c"+strings.Repeat("x", 5000))), "line without end"},
		{"a long global", pickled(2, global{strings.Repeat("x", 100), "y"}), "name of 100 bytes"},
		{"something after the end", append(tiny(t).file(4), 'x'), "1 bytes after"},
		{"a million marks", pickled(2, raw(strings.Repeat("(", 1<<20))), "nested deeper"},
		{"a million tuples in each other", pickled(2, raw("N"+strings.Repeat("\x85", 1<<20))), "instructions"},
		{"a hundred thousand strings", pickled(2, raw(strings.Repeat("B\x41\x00\x00\x00"+strings.Repeat("x", 65), 1<<17))), "strings longer"},
	} {
		mustRefuse(t, c.name, c.code, c.want)
	}
}

// An error of the machine prints what it stumbled on: many references to one
// string must not make it explode.
func TestHostileErrorTexts(t *testing.T) {
	text := "X\x30\x00\x00\x00" + strings.Repeat("\xff", 48) + "q\x00"
	many := raw("(" + text + strings.Repeat("h\x00", 1<<18-10) + "t)R")
	mustRefuse(t, "a call of a tuple", pickled(2, many), "malformed")
}

func TestHostileStructures(t *testing.T) {
	deep := newPart("EDMPrecond")
	deep.at(strings.Repeat("model.", 40) + "model")
	wide := dict{}
	for i := range maxFields + 1 {
		wide = append(wide, field{fmt.Sprint("f", i), 1})
	}
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"a list", list{}, "want a dict"},
		{"no network", dict{{"state_dict", dict{}}}, `no member "ema"`},
		{"a key that is a number", dict{{1, 2}}, "as a key"},
		{"ema twice", dict{{"ema", nil}, {"ema", nil}}, "occurs twice"},
		{"a dict in itself", raw("}q\x00X\x03\x00\x00\x00emah\x00s"), `"ema" is a dict`},
		{"a tensor", dict{{"ema", tensorOf(torchSaved("FloatStorage", 1, make([]byte, 4)), 0, tuple{}, tuple{})}}, "is a tensor"},
		{"no state", dict{{"ema", persistent("EDMPrecond", nil)}}, "want a dict"},
		{"no members", dict{{"ema", persistent("EDMPrecond", dict{})}}, "not a PyTorch module"},
		{"a wide dict", dict{{"ema", persistent("EDMPrecond", wide)}}, "at most 1024"},
		{"deep modules", dict{{"ema", deep.value("")}}, "nested deeper"},
		{"a module in itself", dict{{"ema", cycle()}}, "twice"},
		{"a dotted name", dict{{"ema", withParameters(dict{{"a.b", nil}})}}, `called "a.b"`},
		{"a parameter that is a number", dict{{"ema", withParameters(dict{{"w", 1}})}}, "w is an integer"},
		{"a parameter twice", dict{{"ema", withParameters(dict{{"w", scalar()}, {"w", scalar()}})}}, "two tensors w"},
		{"attributes twice", build{build{maker{global{"torch.nn.modules.container", "ModuleDict"}}, dict{}}, dict{}}, "attributes twice"},
		{"no class", dict{{"ema", call{global{"torch_utils.persistence", "_reconstruct_persistent_obj"}, tuple{dict{{"type", "class"}}}}}}, "no class name"},
		{"a function", dict{{"ema", call{global{"torch_utils.persistence", "_reconstruct_persistent_obj"}, tuple{dict{{"type", "func"}}}}}}, `type "func"`},
	} {
		mustRefuse(t, c.name, pickled(2, c.value), c.want)
	}
}

func scalar() any {
	return tensorOf(torchSaved("FloatStorage", 1, make([]byte, 4)), 0, tuple{}, tuple{})
}

// withParameters is a network with a plain dict of parameters, which, unlike an
// ordered one, can hold a name twice.
func withParameters(d dict) any {
	return persistent("EDMPrecond", dict{{"_parameters", d}, {"_buffers", dict{}}, {"_modules", dict{}}})
}

// cycle is a network that is its own member: its dict of modules, in memo 200,
// gets the network, in memo 201, after that was made.
func cycle() any {
	modules := raw("}r\xc8\x00\x00\x00")
	network := pickled(2, persistent("EDMPrecond", dict{{"_parameters", dict{}}, {"_buffers", dict{}}, {"_modules", modules}}))
	code := append(raw(nil), network[2:len(network)-1]...)
	code = append(code, "r\xc9\x00\x00\x00j\xc8\x00\x00\x00X\x05\x00\x00\x00modelj\xc9\x00\x00\x00s0"...)
	return code
}

func TestHostileTensors(t *testing.T) {
	data := make([]byte, 256)
	saved := torchSaved("FloatStorage", 64, data)
	for _, c := range []struct {
		name          string
		offset        int
		shape, stride tuple
		want          string
	}{
		{"a negative stride", 63, tuple{64}, tuple{-1}, "negative"},
		{"a negative size", 0, tuple{-64}, tuple{1}, "negative"},
		{"a negative offset", -1, tuple{64}, tuple{1}, "offset -1"},
		{"an offset outside", 65, tuple{}, tuple{}, "offset 65"},
		{"a scalar outside", 64, tuple{}, tuple{}, "outside"},
		{"a tensor larger than its storage", 0, tuple{65}, tuple{1}, "storage of 64"},
		{"a tensor that ends outside", 1, tuple{64}, tuple{1}, "outside"},
		{"strides that lead outside", 0, tuple{16, 4}, tuple{5, 1}, "outside"},
		{"a repeated row", 0, tuple{64, 64}, tuple{0, 1}, "storage of 64"},
		{"sizes whose product overflows", 0, tuple{1 << 32, 1 << 32}, tuple{0, 0}, "storage of 64"},
		{"a stride that overflows", 0, tuple{2, 2}, tuple{math.MaxInt, math.MaxInt}, "outside"},
		{"an offset that overflows", math.MaxInt, tuple{2}, tuple{1}, "offset"},
		{"dimensions without strides", 0, tuple{64}, tuple{}, "1 dimensions and 0 strides"},
		{"nine dimensions", 0, slices.Repeat(tuple{1}, 9), slices.Repeat(tuple{1}, 9), "at most 8"},
		{"a size that is no integer", 0, tuple{"64"}, tuple{1}, "want integers"},
	} {
		mustRefuse(t, c.name, ema(tensorOf(saved, c.offset, c.shape, c.stride)), c.want)
	}
}

func TestHostileStorages(t *testing.T) {
	data := make([]byte, 256)
	magic := raw{0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}
	little, ref := dict{{"little_endian", true}}, storageRef("FloatStorage", "1", 64)
	member := pickled(2, pid{tuple{"storage", global{"torch", "FloatStorage"}, "0", "cpu", 64}})
	parts := func(magic, version, system, saved, keys any) []byte {
		return torchParts(magic, version, system, saved, keys, 64, data)
	}
	members := func(method uint16, m map[string][]byte) []byte { return zipped(t, method, m) }
	many := map[string][]byte{}
	for i := range 2000 {
		many[fmt.Sprintf("archive/data/%064d", i)] = nil
	}
	for _, c := range []struct {
		name  string
		saved any
		want  string
	}{
		{"short bytes", []byte("x"), "made from bytes"},
		{"a text", strings.Repeat("x", 100), "made from a long string"},
		{"noise", bytes.Repeat([]byte("x"), 100), "not a pickle"},
		{"another number", parts(7, 1001, little, ref, list{"1"}), "magic number"},
		{"another version", parts(magic, 1002, little, ref, list{"1"}), "magic number or version"},
		{"big-endian", parts(magic, 1001, dict{{"little_endian", false}}, ref, list{"1"}), "big-endian"},
		{"a dict", parts(magic, 1001, little, dict{}, list{"1"}), "want one storage"},
		{"no keys", parts(magic, 1001, little, ref, list{}), "list of storages"},
		{"other keys", parts(magic, 1001, little, ref, list{"2"}), "list of storages"},
		{"a view", parts(magic, 1001, little, pid{tuple{"storage", global{"torch", "FloatStorage"}, "1", "cpu", 64, tuple{"2", 0, 64}}}, list{"1"}), "view of another"},
		{"a strange reference", parts(magic, 1001, little, pid{"1"}, list{"1"}), "not torch's"},
		{"a negative length", parts(magic, 1001, little, storageRef("FloatStorage", "1", -1), list{"1"}), "length"},
		{"two lengths", torchParts(magic, 1001, little, ref, list{"1"}, 63, data), "63 elements here and 64"},
		{"too few bytes", torchSaved("FloatStorage", 64, data[:255]), "255 bytes for a FloatStorage of 64"},
		{"too many bytes", torchSaved("FloatStorage", 64, append(data, 0)), "257 bytes"},
		{"a length beyond measure", torchSaved("FloatStorage", math.MaxInt64, data), "256 bytes for"},
		{"a storage inside that is endless", parts(magic, 1001, little, raw(strings.Repeat("N0", 1000)), list{"1"}), "instructions"},
		{"a long string inside", parts(strings.Repeat("x", 100), 1001, little, ref, list{"1"}), "strings longer"},
		{"zip: cut", torchZipped(t, "FloatStorage", 64, data)[:300], "zip"},
		{"zip: compressed", members(zip.Deflate, map[string][]byte{"a/data.pkl": member, "a/data/0": data}), "compressed"},
		{"zip: no object", members(zip.Store, map[string][]byte{"a/data/0": data}), "no member data.pkl"},
		{"zip: no storage", members(zip.Store, map[string][]byte{"a/data.pkl": member}), "no such member"},
		{"zip: short storage", members(zip.Store, map[string][]byte{"a/data.pkl": member, "a/data/0": data[:9]}), "9 bytes for"},
		{"zip: big-endian", members(zip.Store, map[string][]byte{"a/data.pkl": member, "a/data/0": data, "a/byteorder": []byte("big")}), "big-endian"},
		{"zip: a directory of thousands", members(zip.Store, many), "too long"},
		{"zip: no directory", append(torchZipped(t, "FloatStorage", 64, data), 0), "does not end with a directory"},
		{"zip: only a beginning", []byte("PK\x03\x04" + strings.Repeat("\x00", 50)), "does not end with a directory"},
		{"zip: members beyond measure", withEnd(t, 10, 0xff, 0xff), "65535 members"},
		{"zip: a directory beyond 4 GB", withEnd(t, 12, 0xff, 0xff, 0xff, 0xff), "beyond 4 GB"},
		{"zip: a directory at the far end", withEnd(t, 16, 0xff, 0xff, 0xff, 0xff), "beyond 4 GB"},
		{"zip: a member twice", rawZip(t, zipMember{"a/data.pkl", member, 0}, zipMember{"a/data.pkl", member, 0}), "two members"},
		{"zip: a member that ends outside", rawZip(t, zipMember{"a/data.pkl", member, 0}, zipMember{"a/data/0", data, 1 << 30}), "truncated"},
	} {
		mustRefuse(t, c.name, ema(tensorOf(c.saved, 0, tuple{}, tuple{})), c.want)
	}
}

// zipMember is a member of rawZip; it says that it has size bytes, if not 0.
type zipMember struct {
	name string
	data []byte
	size uint64
}

// rawZip is a zip file of members that need not be true.
func rawZip(t *testing.T, members ...zipMember) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		if m.size == 0 {
			m.size = uint64(len(m.data))
		}
		f, err := w.CreateRaw(&zip.FileHeader{Name: m.name, Method: zip.Store, CompressedSize64: m.size, UncompressedSize64: m.size})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withEnd is a sound zip file but for some bytes of the record that ends it.
func withEnd(t *testing.T, at int, b ...byte) []byte {
	t.Helper()
	z := torchZipped(t, "FloatStorage", 64, make([]byte, 256))
	copy(z[len(z)-endSize+at:], b)
	return z
}

// A file beyond the limit is refused before it is read.
func TestHugeFile(t *testing.T) {
	if _, err := read(bytes.NewReader(nil), maxFile+1); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("error %v, want one that gives the limit", err)
	}
}

// Tensors that share a storage could otherwise ask for a thousand times the
// file, more so those that repeat one element.
func TestSharedStorageIsBounded(t *testing.T) {
	s := &storage{kind: storageGlobals()["torch.FloatStorage"].(*storageKind), len: 64}
	file := make([]byte, 600)
	for _, stride := range []int{1, 0} {
		tensors := map[string]*tensor{}
		for i := range 3 {
			v := &tensor{storage: s, shape: []int{64}, stride: []int{stride}}
			if err := v.measure(); err != nil {
				t.Fatal(err)
			}
			tensors[fmt.Sprint(i)] = v
		}
		if _, err := readTensors(bytes.NewReader(file), 600, tensors); err == nil || !strings.Contains(err.Error(), "larger than the file") {
			t.Errorf("768 bytes of tensors of stride %d in a file of 600: error %v", stride, err)
		}
		delete(tensors, "2")
		if _, err := readTensors(bytes.NewReader(file), 600, tensors); err != nil {
			t.Error(err)
		}
	}
}

// Every prefix of a sound file is refused.
func TestTruncated(t *testing.T) {
	whole := tiny(t).file(4)
	for n := 0; n < len(whole); n += 1 + n/64 {
		if _, err := readBytes(whole[:n]); err == nil {
			t.Fatalf("%d of %d bytes are read", n, len(whole))
		}
	}
}

// What does not matter to the network may be there: a huge memo index costs
// nothing.
func TestOtherAttributesAreIgnored(t *testing.T) {
	for name, v := range map[string]any{
		"a huge memo index": raw("Nr\xff\xff\xff\xff"),
		"a set":             call{global{"builtins", "set"}, tuple{list{1}}},
		"a frozen set":      raw("(K\x01\x91"),
		"an easy dict":      fill{maker{global{"dnnlib.util", "EasyDict"}}, dict{{"a", 1}}},
		"a long text":       strings.Repeat("x", 1<<16),
		"a large integer":   raw("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
	} {
		p := tiny(t)
		p.set("note", v)
		if _, err := readBytes(p.file(4)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRead holds any bytes to an error or a network that makes a snapshot.
func FuzzRead(f *testing.F) {
	f.Add(tiny(f).file(4))
	f.Add(tiny(f).file(2))
	f.Add(ema(tensorOf(torchZipped(f, "FloatStorage", 1, make([]byte, 4)), 0, tuple{}, tuple{})))
	f.Add(ema(cycle()))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := readBytes(data)
		if err != nil {
			return
		}
		if _, err := n.File(); err != nil {
			t.Errorf("it was read, but: %v", err)
		}
	})
}
