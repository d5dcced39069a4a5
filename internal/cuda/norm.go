//go:build gpu

package cuda

import (
	"edm/internal/engine"
	"edm/internal/op"
)

// The work of a thread in norm.cu, in quads, and the threads of its blocks.
const (
	statsHeld    = 4
	statsThreads = 512
	applyHeld    = 4
	dataHeld     = 2
	leastThreads = 64
)

// warps returns n rounded up to whole warps, within bounds.
func warps(n, least, most int) int { return min(max(parts(n, 32)*32, least), most) }

// normStats is the statistics of groups of size elements: by one block each, or
// by one for each chunk of length elements, which a second launch joins.
type normStats struct {
	groups, size, threads, length, chunks int
	eps                                   float32
}

func newGNStats(_ precision, s op.GNStats, c engine.Call) (kernel, error) {
	x := c.In[0]
	k := normStats{groups: x[0] * s.Groups, size: x.TotalSize() / (x[0] * s.Groups), eps: float32(s.Eps)}
	k.threads = warps(parts(k.size, quad*statsHeld), 32, statsThreads)
	k.length = quad * statsHeld * k.threads
	k.chunks = parts(k.size, k.length)
	if err := indexable(s, k.size, "elements in a group"); err != nil {
		return nil, err
	}
	return k, indexable(s, k.groups*k.chunks, "blocks")
}

func (k normStats) workspace() int {
	if k.chunks == 1 {
		return 0
	}
	return 2 * k.groups * k.chunks
}

func (k normStats) launches(o operands) []launch {
	all := []launch{{
		module: "norm", name: "gn_stats",
		grid: [3]int{k.groups * k.chunks, 1, 1}, block: [3]int{k.threads, 1, 1},
		shared: 8 * k.threads / 32,
		args:   []any{o.in[0], o.out, o.work, int32(k.size), int32(k.chunks), k.eps},
	}}
	if k.chunks == 1 {
		return all
	}
	return append(all, launch{
		module: "norm", name: "gn_join",
		grid: [3]int{parts(k.groups, 128), 1, 1}, block: [3]int{128, 1, 1},
		args: []any{o.work, o.out, int32(k.groups), int32(k.size), int32(k.chunks), int32(k.length), k.eps},
	})
}

// activated returns the name of a kernel's form for a normalisation.
func activated(name string, silu bool) string {
	if silu {
		return name + "_silu"
	}
	return name
}

// newGroupMap maps the elements of each group of x by chunks of held quads a
// thread: gn_apply and gn_data.
func newGroupMap(name string, held int, s op.Spec, c engine.Call, groups int, perImage bool) (kernel, error) {
	x := c.Out
	pixels, cg := x[2]*x[3], x[1]/groups
	perMap := parts(pixels, quad)
	threads := warps(parts(cg*perMap, held), leastThreads, mapThreads)
	chunks := parts(cg*perMap, held*threads)
	d := newDivisor(perMap)
	images := x[0]
	affine := groups // groups after which gamma and beta repeat
	if perImage {
		affine = images * groups
	}
	if err := indexable(s, cg*perMap, "quads in a group"); err != nil {
		return nil, err
	}
	return recipe(func(o operands) []launch {
		return []launch{{
			module: "norm", name: name,
			grid: [3]int{images * groups * chunks, 1, 1}, block: [3]int{threads, 1, 1},
			args: append(inputs(o), o.out, int32(pixels), int32(cg), int32(affine), int32(chunks), d.factor, d.shift),
		}}
	}), indexable(s, images*groups*chunks, "blocks")
}

func newGNApply(p precision, s op.GNApply, c engine.Call) (kernel, error) {
	plain, err := newGroupMap(activated("gn_apply", s.SiLU), applyHeld, s, c, s.Groups, s.PerImage)
	if err != nil || p != bf16 {
		return plain, err
	}
	twin, err := newPackedNorm(s, c, nil)
	return twoForms{plain, twin}, err
}

func newGNData(_ precision, s op.GNData, c engine.Call) (kernel, error) {
	return newGroupMap(activated("gn_data", s.SiLU), dataHeld, s, c, s.Groups, s.PerImage)
}

func newGNSums(_ precision, s op.GNSums, c engine.Call) (kernel, error) {
	x := c.In[1]
	maps, pixels, cg := x[0]*x[1], x[2]*x[3], x[1]/s.Groups
	channels := x[1] // after which gamma and beta repeat
	if s.PerImage {
		channels = maps
	}
	return recipe(func(o operands) []launch {
		l := rowsLaunch("norm", activated("gn_sums", s.SiLU), maps, pixels, 2,
			append(inputs(o), o.out, int32(maps), int32(pixels), int32(cg), int32(channels))...)
		return []launch{l}
	}), indexable(s, max(maps, pixels), "feature maps or pixels")
}

func newGNParam(_ precision, s op.GNParam, c engine.Call) (kernel, error) {
	n, ch := c.In[0][0], c.In[0][1]
	if s.PerImage {
		n, ch = 1, n*ch
	}
	return recipe(func(o operands) []launch {
		return []launch{columnsLaunch(o.in[0].plus(s.Which), 0, o.out, n, ch, 2*ch, 2)}
	}), indexable(s, ch, "channels")
}

// modulateLaunch launches a kernel of a thread for each image and channel.
func modulateLaunch(name string, images, channels int, shift bool, o operands) launch {
	shifted := int32(0)
	if shift {
		shifted = 1
	}
	return launch{
		module: "norm", name: name,
		grid: [3]int{parts(channels, 128), images, 1}, block: [3]int{128, 1, 1},
		args: append(inputs(o), o.out, int32(channels), shifted),
	}
}

func newModulate(_ precision, s op.Modulate, c engine.Call) (kernel, error) {
	n, ch := c.Out[0], c.Out[1]
	return recipe(func(o operands) []launch {
		return []launch{modulateLaunch("modulate", n, ch, s.Shift, o)}
	}), rowsFit(s, n)
}

func newModulateData(_ precision, s op.ModulateData, c engine.Call) (kernel, error) {
	n, ch := c.In[0][0], c.In[0][1]
	return recipe(func(o operands) []launch {
		return []launch{modulateLaunch("modulate_data", n, ch, s.Shift, o)}
	}), rowsFit(s, n)
}

func newModulateParam(_ precision, s op.ModulateParam, c engine.Call) (kernel, error) {
	n, ch := c.In[0][0], c.In[0][1]
	return recipe(func(o operands) []launch {
		return []launch{columnsLaunch(o.in[0], o.in[1], o.out, n, ch, ch, 1)}
	}), indexable(s, ch, "channels")
}
