//go:build gpu

package cuda

import (
	"fmt"
	"math"

	"edm/internal/engine"
	"edm/internal/op"
)

// The sizes that kernels/attention.cu was written for.
const (
	attnTile    = 64  // pixels of a tile; channels of a panel
	attnPanels  = 4   // that a block has sums for
	attnStages  = 3   // tiles on their way through shared memory
	attnThreads = 256 // of a block
	deltaPixels = 32  // of a block of attention_delta
)

// attnShape is the geometry of attention on packed qkv [n,3*heads*channels,H,W].
type attnShape struct {
	precision        precision
	items            int // images times heads
	channels, pixels int // of an item
}

// newAttnShape reads the geometry off the shape of qkv.
func newAttnShape(p precision, qkv []int, heads int) (attnShape, error) {
	if len(qkv) != 4 || heads < 1 || qkv[1] < 3*heads || qkv[1]%(3*heads) != 0 {
		return attnShape{}, fmt.Errorf("attention of %d heads wants [N,C,H,W] with C a multiple of %d, not %v", heads, 3*heads, qkv)
	}
	s := attnShape{precision: p, items: qkv[0] * heads, channels: qkv[1] / 3 / heads, pixels: qkv[2] * qkv[3]}
	blocks := s.items * parts(s.pixels, deltaPixels) * parts(s.channels, attnTile)
	if max(blocks, 3*s.pixels) > math.MaxInt32 {
		return attnShape{}, fmt.Errorf("attention on %v is more than 32-bit numbers reach: use a smaller batch or image", qkv)
	}
	return s, nil
}

// tileBytes returns the shared memory of a tile. Its rows are padded such that
// the lanes of a warp read from different banks.
func (s attnShape) tileBytes() int {
	pad := 8
	if s.precision == fp32 {
		pad = 4
	}
	return 4 * attnTile * (attnTile + pad)
}

// launch returns the launch of a kernel whose blocks each have a tile of pixels,
// of one of so many groups of channels. It takes the arrays, then the geometry.
func (s attnShape) launch(operation string, groups, shared int, arrays ...pointer) launch {
	wide := s.pixels%4 == 0 // rows of every array begin at multiples of 16 bytes
	var args []any
	for _, p := range arrays {
		wide = wide && p%16 == 0
		args = append(args, p)
	}
	scale := float32(1 / math.Sqrt(float64(s.channels)))
	return launch{
		module: "attention", name: "attention_" + operation + "_" + s.precision.suffix(),
		grid:   [3]int{s.items * groups * parts(s.pixels, attnTile), 1, 1},
		block:  [3]int{attnThreads, 1, 1},
		shared: shared,
		args:   append(args, int32(s.channels), int32(s.pixels), scale, flag(wide)),
	}
}

// weighted returns the launch of a kernel that keeps weights in a tile, and two
// numbers of each query. Blocks have sums for some of the panels; more are divided
// among blocks.
func (s attnShape) weighted(operation string, arrays ...pointer) launch {
	shared := (attnStages+1)*s.tileBytes() + 2*attnTile*4
	return s.launch(operation, parts(s.channels, attnPanels*attnTile), shared, arrays...)
}

// attnLSE is op.AttnLSE.
type attnLSE struct{ attnShape }

func newAttnLSE(p precision, s op.AttnLSE, c engine.Call) (kernel, error) {
	shape, err := newAttnShape(p, c.In[0], s.Heads)
	if err != nil {
		return nil, err
	}
	return attnLSE{shape}, nil
}

func (a attnLSE) workspace() int { return 0 }

func (a attnLSE) launches(o operands) []launch {
	// Behind the stages 4 warps leave a maximum and a sum of each row.
	return []launch{a.launch("lse", 1, attnStages*a.tileBytes()+4*attnTile*8, o.in[0], o.out)}
}

// attn is op.Attn.
type attn struct{ attnShape }

func newAttn(p precision, s op.Attn, c engine.Call) (kernel, error) {
	shape, err := newAttnShape(p, c.In[0], s.Heads)
	if err != nil {
		return nil, err
	}
	return attn{shape}, nil
}

func (a attn) workspace() int { return 0 }

func (a attn) launches(o operands) []launch {
	return []launch{a.weighted("output", o.in[0], o.in[1], o.out)}
}

// attnGrad is op.AttnGrad: the dot product of each query's output and gradient,
// then the gradients by values, queries and keys.
type attnGrad struct{ attnShape }

func newAttnGrad(p precision, s op.AttnGrad, c engine.Call) (kernel, error) {
	shape, err := newAttnShape(p, c.In[1], s.Heads)
	if err != nil {
		return nil, err
	}
	return attnGrad{shape}, nil
}

func (a attnGrad) workspace() int { return a.items * a.pixels }

func (a attnGrad) launches(o operands) []launch {
	g, qkv, lse, out := o.in[0], o.in[1], o.in[2], o.in[3]
	delta := launch{
		module: "attention", name: "attention_delta",
		grid:   [3]int{a.items * parts(a.pixels, deltaPixels), 1, 1},
		block:  [3]int{attnThreads, 1, 1},
		shared: 4 * attnThreads,
		args:   []any{g, out, o.work, int32(a.channels), int32(a.pixels)},
	}
	return []launch{
		delta,
		a.weighted("value_gradient", g, qkv, lse, o.work, o.out),
		a.weighted("query_gradient", g, qkv, lse, o.work, o.out),
		a.weighted("key_gradient", g, qkv, lse, o.work, o.out),
	}
}
