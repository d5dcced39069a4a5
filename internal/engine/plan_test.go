package engine

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"edm/internal/op"
)

// No two blocks that live in one step overlap, and the arena holds all.
func TestPlaceKeepsLiveBlocksApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var blocks []*block
		for range rapid.IntRange(1, 60).Draw(t, "blocks") {
			first := rapid.IntRange(0, 30).Draw(t, "first")
			blocks = append(blocks, &block{
				size:  rapid.IntRange(0, 300).Draw(t, "size"),
				first: first, last: first + rapid.IntRange(0, 12).Draw(t, "life"),
			})
		}
		total := place(blocks)
		for i, a := range blocks {
			if a.size > 0 && (a.at%align != 0 || a.at+a.size > total) {
				t.Fatalf("block %+v in an arena of %d", *a, total)
			}
			for _, b := range blocks[:i] {
				apart := a.last < b.first || b.last < a.first || a.at+a.size <= b.at || b.at+b.size <= a.at
				if !apart && a.size > 0 && b.size > 0 {
					t.Fatalf("blocks %+v and %+v overlap", *a, *b)
				}
			}
		}
	})
}

func node(g *gorgonia.ExprGraph, name string, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// A chain of elementwise operations runs in the memory of one value.
func TestChainIsInPlace(t *testing.T) {
	g := gorgonia.NewGraph()
	var b op.Builder
	x := b.Scale(node(g, "x", 2, 4, 8, 8), 2)
	size := x.Shape().TotalSize()
	for range 10 {
		x = b.SiLU(x)
	}
	y := b.Scale(x, 3)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	p, err := Compile(Portable{}, y)
	if err != nil {
		t.Fatal(err)
	}
	if p.ArenaBytes() != int64(4*size) {
		t.Errorf("arena of %d bytes, want %d", p.ArenaBytes(), 4*size)
	}
}

// A value that is read again later keeps its memory.
func TestLaterReadersPreventInPlace(t *testing.T) {
	g := gorgonia.NewGraph()
	var b op.Builder
	in := node(g, "x", 1, 1, 1, 2)
	x := b.Scale(in, 2)
	y := b.Add(b.SiLU(x), x)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	p, err := Compile(Portable{}, y)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Bind(in, Buffer{F32: []float32{0, 10}}); err != nil {
		t.Fatal(err)
	}
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	v, err := m.Value(y)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Data().([]float32); got[0] != 0 || got[1] < 39.9 || got[1] > 40 {
		t.Errorf("silu(2x)+2x at 0 and 10 is %v, want 0 and almost 40", got)
	}
}

func TestFaultsAreErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	x := node(g, "x", 1, 1, 2, 2)
	var b op.Builder
	y := b.SiLU(x)
	stock := gorgonia.Must(gorgonia.Tanh(y))
	if _, err := Compile(Portable{}, stock); err == nil {
		t.Error("an operation of Gorgonia's own was compiled")
	}
	if _, err := Compile(Portable{}); err == nil {
		t.Error("a program without outputs was compiled")
	}
	if _, err := Compile(Portable{}, x); err == nil {
		t.Error("an input was taken as output")
	}
	p, err := Compile(Portable{}, y)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMachine(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.RunAll(); err == nil {
		t.Error("a program ran without its input")
	}
	if err := m.Bind(x, Buffer{F32: make([]float32, 3)}); err == nil {
		t.Error("a buffer of the wrong size was bound")
	}
	if err := m.Bind(x, Buffer{F64: make([]float64, 4)}); err == nil {
		t.Error("a buffer of the wrong type was bound")
	}
	if err := m.Bind(stock, Buffer{F32: make([]float32, 4)}); err == nil {
		t.Error("a node outside the program was bound")
	}
}
