//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
	"edm/unet"
)

// stored is a program for bf16 with its storage, which takes no device.
type stored struct {
	*storage
	program *engine.Program
}

func newStored(t *testing.T, b *Backend, p *engine.Program) stored {
	t.Helper()
	s, err := b.storage(p)
	must(t, err)
	return stored{s, p}
}

// written returns the step that writes a value; none for an input.
func (s stored) written(id int) int {
	return slices.IndexFunc(s.program.Steps, func(s engine.Step) bool { return s.Output == id })
}

// check fails unless every step finds what it reads: elements that were written and
// are still there, packed pixels of the right value that are made once and before.
func (s stored) check(t *testing.T) {
	t.Helper()
	of := map[int]int{} // the value of a piece that was made
	make := func(i, piece, value int) {
		if _, ok := of[piece]; ok || s.layout.Pieces[piece].First != i {
			t.Errorf("step %d makes piece %+v, which is made before: %v", i, s.layout.Pieces[piece], ok)
		}
		of[piece] = value
	}
	elements := func(i, id int) {
		role, made := s.program.Value(id).Role, s.written(id)
		if made > i || (role == engine.Intermediate && s.layout.Last[id] < i) {
			t.Errorf("step %d reads the elements of value %d, which are there from step %d to %d", i, id, made, s.layout.Last[id])
		}
	}
	for i, w := range s.steps {
		for _, c := range w.copies {
			elements(i, c.value)
			make(i, c.piece, c.value)
		}
		var wanted []int
		if k, ok := w.kernel.(packer); ok {
			wanted = k.packedInputs()
		}
		for j, id := range w.inputs {
			piece := w.packed[j]
			if piece == none {
				elements(i, id)
			} else if value, ok := of[piece]; !ok || value != id || s.layout.Pieces[piece].Last < i {
				t.Errorf("step %d reads piece %+v of value %d for value %d", i, s.layout.Pieces[piece], value, id)
			}
			if (piece != none) != slices.Contains(wanted, j) {
				t.Errorf("step %d reads its input %d from piece %d, want %v packed", i, j, piece, wanted)
			}
		}
		if w.result != none {
			make(i, w.result, s.program.Steps[i].Output)
		}
	}
	if len(of) != len(s.layout.Pieces) {
		t.Errorf("%d of %d pieces are made", len(of), len(s.layout.Pieces))
	}
}

// copies returns the pieces that are made of a value's elements, in their order.
func (s stored) copies(id int) []engine.Piece {
	var all []engine.Piece
	for _, w := range s.steps {
		for _, c := range w.copies {
			if c.value == id {
				all = append(all, s.layout.Pieces[c.piece])
			}
		}
	}
	return all
}

// steps returns the steps of an operation.
func stepsOf[S op.Spec](p *engine.Program) []int {
	var all []int
	for i, s := range p.Steps {
		if _, ok := s.Spec.(S); ok {
			all = append(all, i)
		}
	}
	return all
}

// Every step of a training program finds what it reads, whatever is computed again.
func TestStorageIsWhole(t *testing.T) {
	b := &Backend{precision: bf16}
	for _, arch := range unet.ArchNames() {
		n := smallNetwork(t, arch)
		for _, forget := range []int{0, 1, 2} {
			newStored(t, b, n.compile(t, b, forget)).check(t)
		}
	}
}

// The other precisions have no other form than float32.
func TestStorageOfFloats(t *testing.T) {
	for _, b := range []*Backend{{precision: fp32}, {precision: tf32}, {precision: bf16, unpacked: true}} {
		p := smallNetwork(t, unet.DDPMPP).compile(t, b, 0)
		s := newStored(t, b, p)
		if plain := engine.PlainLayout(p); len(s.layout.Pieces) != 0 || !slices.Equal(s.layout.Last, plain.Last) {
			t.Errorf("%v: %d values in other forms", b.target(), len(s.layout.Pieces))
		}
	}
}

// Between the norms and the convolutions of a block nothing is float32: norms write
// what the convolutions of both passes read, with the dropout between them.
func TestNormsWritePacked(t *testing.T) {
	b := &Backend{precision: bf16}
	p := smallNetwork(t, unet.DDPMPP).compile(t, b, 0)
	s := newStored(t, b, p)
	drops := stepsOf[op.Dropout](p)
	joined := 0
	for _, i := range append(stepsOf[op.GNApply](p), drops...) {
		launches := s.steps[i].kernel.launches(operands{in: make([]pointer, 7)})
		if len(launches) == 0 {
			joined++
			continue
		}
		if name := launches[0].name; s.steps[i].result == none && !slices.Contains([]string{"dropout", "gn_apply_silu", "gn_whole_silu1"}, name) {
			t.Errorf("step %d, %s, writes no packed pixels", i, name)
		}
	}
	whole := 0 // dropouts of the forward pass over images of whole quads
	for _, i := range drops {
		out := p.Steps[i].Out
		if _, ok := p.Steps[s.written(p.Steps[i].Inputs[0])].Spec.(op.GNApply); ok && out[2]*out[3]%4 == 0 {
			whole++
		}
	}
	if joined != whole || whole == 0 {
		t.Errorf("%d norms are computed by the dropouts behind them, want %d", joined, whole)
	}
}

// residual is y = conv(halved x), z = y + attention(norm(y)) as a block has it, with
// the gradients by x and all weights.
func residual(t *testing.T) gorgonia.Nodes {
	t.Helper()
	const n, c, size = 2, 8, 8
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	b := op.Builder{}
	x, w, v, u := input("x", n, c, size, size), input("w", c, c, 3, 3), input("v", 3*c, c, 1, 1), input("u", c, c, 1, 1)
	half := b.Apply(op.Down{Filter: optest.Filter(t, 1, 1), Gain: 1}, x)
	y := b.Apply(op.Conv2D{Kernel: 3, Bias: true, Scale: 1}, half, w, input("b", c))
	qkv := b.Apply(op.Conv2D{Kernel: 1, Scale: 1}, b.GroupNorm(y, input("gamma", c), input("beta", c), 2, 1e-5, false), v)
	z := b.Apply(op.Conv2D{Kernel: 1, Residual: true, Scale: 0.7}, b.Attention(qkv, 1), u, y)
	for range copyReach { // between the passes
		z = b.SiLU(z)
	}
	must(t, b.Err)
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{z}, gorgonia.Nodes{input("g", n, c, size/2, size/2)}, gorgonia.Nodes{x, w, v, u})
	must(t, err)
	return append(gorgonia.Nodes{z}, grads...)
}

// A gradient is packed once for its two products. What nothing reads as float32 any
// more is packed once for both passes, and its elements end there; what the backward
// pass reads as float32, too, is packed again.
func TestPackedCopies(t *testing.T) {
	b := &Backend{precision: bf16}
	p, err := engine.Compile(b, residual(t)...)
	must(t, err)
	s := newStored(t, b, p)
	s.check(t)
	forward, data, weights := stepsOf[op.Conv2D](p), stepsOf[op.Conv2DData](p), stepsOf[op.Conv2DWeights](p)
	for i, at := range data {
		g := s.copies(p.Steps[at].Inputs[0])
		if len(g) != 1 || g[0].First != at || g[0].Last != weights[i] || weights[i] != at+1 {
			t.Errorf("the gradient of product %d, at steps %d and %d, is packed as %+v", i, at, weights[i], g)
		}
	}
	half := p.Steps[stepsOf[op.Down](p)[0]].Output
	last := weights[len(weights)-1] // the backward pass comes to the first convolution last
	if c := s.copies(half); len(c) != 1 || c[0].First != forward[0] || c[0].Last != last || s.layout.Last[half] != forward[0] {
		t.Errorf("the input of the first convolution is packed as %+v, its elements end at %d, want one piece from %d to %d",
			c, s.layout.Last[half], forward[0], last)
	}
	attn := p.Steps[stepsOf[op.Attn](p)[0]].Output
	const size = 2 * 16 * 8 / 2 // of a piece: images, pixels, channels; two to an element
	want := []engine.Piece{{Len: size, First: forward[2], Last: forward[2]}, {Len: size, First: weights[0], Last: weights[0]}}
	if c := s.copies(attn); !slices.Equal(c, want) {
		t.Errorf("the output of attention is packed as %+v, want %+v", c, want)
	}
	norm := stepsOf[op.GNApply](p)[0]
	if k := s.steps[norm].result; k == none || s.layout.Last[p.Steps[norm].Output] != engine.Absent ||
		s.layout.Pieces[k] != (engine.Piece{Len: size, First: norm, Last: weights[1]}) {
		t.Errorf("the norm's result is %+v", s.layout.Pieces)
	}
}

// A norm whose result something else reads, too, keeps it, and the dropout behind it
// its own work.
func TestNormsReadTwice(t *testing.T) {
	const n, c = 2, 8
	g := gorgonia.NewGraph()
	input := func(name string, dtype tensor.Dtype, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	real, whole := tensor.Float32, tensor.Int64
	b := op.Builder{}
	h := b.GroupNorm(input("x", real, n, c, 4, 4), input("gamma", real, c), input("beta", real, c), 2, 1e-5, true)
	d := b.Apply(op.Dropout{}, h, input("p", real, 1), input("key", whole, 1), input("counter", whole, n))
	y := b.Apply(op.Conv2D{Kernel: 1, Residual: true, Scale: 1}, d, input("w", real, c, c, 1, 1), h)
	must(t, b.Err)
	p, err := engine.Compile(&Backend{precision: bf16}, y)
	must(t, err)
	s := newStored(t, &Backend{precision: bf16}, p)
	s.check(t)
	const norm, drop, conv = 1, 2, 3
	for _, i := range []int{norm, drop} {
		if end := s.layout.Last[p.Steps[i].Output]; end != conv || s.steps[i].result != none || len(s.steps[i].kernel.launches(operands{in: make([]pointer, 4)})) == 0 {
			t.Errorf("the elements of step %d end at step %d, want %d: it runs %+v", i, end, conv, s.steps[i])
		}
	}
}

// An input of the program keeps its elements, so that its packed copies end with the
// steps that want them.
func TestCopiesOfInputs(t *testing.T) {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	build := op.Builder{}
	x, w := input("x", 1, 8, 4, 4), input("w", 8, 8, 1, 1)
	y := build.Apply(op.Conv2D{Kernel: 1, Scale: 1}, x, w)
	for range copyReach {
		y = build.SiLU(y)
	}
	z := build.Apply(op.Conv2D{Kernel: 1, Residual: true, Scale: 1}, x, input("v", 8, 8, 1, 1), y)
	must(t, build.Err)
	b := &Backend{precision: bf16}
	p, err := engine.Compile(b, z)
	must(t, err)
	s := newStored(t, b, p)
	s.check(t)
	id := p.Steps[0].Inputs[0]
	const size = 16 * 8 / 2
	want := []engine.Piece{{Len: size}, {Len: size, First: copyReach + 1, Last: copyReach + 1}}
	if c := s.copies(id); !slices.Equal(c, want) {
		t.Errorf("the input is packed as %+v, want %+v", c, want)
	}
}

// A step begins with the packing that it is the first to want; so its time is the
// step's, and an error of it names both.
func TestPackingIsItsReaders(t *testing.T) {
	b := backend(t, bf16)
	p, err := engine.Compile(b, residual(t)...)
	must(t, err)
	made, err := b.NewRunner(p)
	must(t, err)
	r := made.(*runner)
	for i, s := range p.Steps {
		packs := 0
		for _, l := range r.launches(i) {
			if l.name == "convpack_pixels" {
				packs++
			}
		}
		if want := len(r.steps[i].copies); packs != want {
			t.Errorf("step %d, %v, packs %d values, want %d", i, opName(&s), packs, want)
		}
	}
	fault := errors.New("a fault")
	err = r.each(r.sequence(), func(l *ready) error {
		if l.name == "convpack_pixels" {
			return fault
		}
		return nil
	})
	step := stepsOf[op.Conv2D](p)[0]
	if want := fmt.Sprintf("kernel convpack.convpack_pixels of operation %d, op.Conv2D", step); !errors.Is(err, fault) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want one of %s", err, want)
	}
	must(t, r.Close())
}

// A program takes the memory that its plan says, which callers compare with what is
// free, up to what a device rounds an allocation to.
func TestPlanIsAllocated(t *testing.T) {
	const rounding = 4 << 20
	b := backend(t, bf16)
	c, err := unet.Preset("demo")
	must(t, err)
	c.ImgResolution, c.InChannels, c.OutChannels = 32, 3, 3
	p := newNetwork(t, c, 16).compile(t, b, 0)
	if p.ArenaBytes() < 8*rounding {
		t.Fatalf("an arena of %d bytes shows nothing", p.ArenaBytes())
	}
	before, err := b.Free()
	must(t, err)
	r, err := b.NewRunner(p)
	must(t, err)
	after, err := b.Free()
	must(t, err, r.Close())
	if taken := before - after; taken < p.ArenaBytes() || taken > p.ArenaBytes()+rounding {
		t.Errorf("%d bytes were allocated, %d planned", taken, p.ArenaBytes())
	}
}

// unpacking returns a backend for bf16 that stores no value as packed pixels.
func unpacking(t *testing.T) *Backend {
	t.Helper()
	b, err := open(0, BF16)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	b.unpacked = true
	return b
}

// A training program has the same bits with values stored as packed pixels and with
// operations that pack what they read.
func TestStorageChangesNoBit(t *testing.T) {
	packed, floats := backend(t, bf16), unpacking(t)
	for _, arch := range unet.ArchNames() {
		n := smallNetwork(t, arch)
		want := n.run(t, floats, 0)
		forget := map[string]int{unet.NCSNPP: 2}[arch] // blocks of one of them
		for i, got := range n.run(t, packed, forget) {
			optest.SameBits(t, fmt.Sprintf("%s, output %d", arch, i), got, want[i])
		}
	}
}

// The training of cifar10 with packed values takes less memory.
func TestStorageOfCIFAR10(t *testing.T) {
	c, err := unet.Preset("cifar10")
	must(t, err)
	c.ImgResolution, c.InChannels, c.OutChannels = 32, 3, 3
	n := newNetwork(t, c, 64)
	bytes := map[bool]int64{}
	for _, unpacked := range []bool{false, true} {
		p := n.compile(t, &Backend{precision: bf16, unpacked: unpacked}, 0)
		bytes[unpacked] = p.ArenaBytes()
		if least := p.LiveBytes(); bytes[unpacked] > least*21/20 {
			t.Errorf("an arena of %d bytes, %d are alive at most", bytes[unpacked], least)
		}
	}
	if ratio := float64(bytes[false]) / float64(bytes[true]); ratio > 0.78 {
		t.Errorf("%d bytes, %.3f of %d", bytes[false], ratio, bytes[true])
	}
}
