//go:build gpu

package cuda

import (
	"fmt"
	"slices"

	"edm/internal/engine"
	"edm/internal/op"
)

// The work of norm.cu's kernels that have a whole group in a block: chunks of a
// group at most, as gn_stats has them; threads, quads of a map and maps of one of
// them at most, in a gradient.
const (
	wholeChunks  = 3
	wholeThreads = 512
	wholeHeld    = 4
	wholeMaps    = 2
)

// pairNeighbours replaces the kernels of two neighbouring steps, where there is
// one that does the work of both in one pass over memory: by none for the first,
// and for the second by the one, which has the second's operands and also writes
// the input among them that is the first's result. Steps that do more or less than
// their operations, or whose results are packed, stay as they are.
func (s *storage) pairNeighbours(p *engine.Program) {
	for i := 0; i+1 < len(s.steps); i++ {
		if !p.Covers(i) || !s.steps[i].plain(&p.Steps[i]) || !s.steps[i+1].plain(&p.Steps[i+1]) {
			continue
		}
		if k := pair(&p.Steps[i], &p.Steps[i+1]); k != nil {
			s.steps[i].kernel, s.steps[i+1].kernel = nothing, k
			i++
		}
	}
}

// plain reports whether the work is the step's operation alone, with its result as
// float32.
func (w *work) plain(s *engine.Step) bool {
	return slices.Equal(w.inputs, s.Inputs) && len(w.copies) == 0 && w.result == none
}

// pair returns a kernel for the two halves of a group normalisation, or of its
// gradient, whose groups fit in a block's registers; else nil.
func pair(first, second *engine.Step) kernel {
	switch s := second.Spec.(type) {
	case op.GNApply:
		stats, ok := first.Spec.(op.GNStats)
		if ok && stats.Groups == s.Groups && first.Inputs[0] == second.Inputs[0] && first.Output == second.Inputs[1] {
			return newWholeNorm(stats, s, second.Call)
		}
	case op.GNData:
		sums := op.GNSums{Groups: s.Groups, SiLU: s.SiLU, PerImage: s.PerImage}
		if first.Spec == sums && slices.Equal(first.Inputs, second.Inputs[:5]) && first.Output == second.Inputs[5] {
			return newWholeData(s, second.Call)
		}
	}
	return nil
}

// newWholeNorm returns the kernel for gn_stats and gn_apply, or nil.
func newWholeNorm(stats op.GNStats, s op.GNApply, c engine.Call) kernel {
	x := c.Out
	pixels, cg := x[2]*x[3], x[1]/s.Groups
	threads, _, chunks := statsChunks(cg * pixels)
	if pixels%quad != 0 || chunks > wholeChunks {
		return nil
	}
	d := newDivisor(pixels / quad)
	groups, affine := normGroups(x[0], s.Groups, s.PerImage)
	name := fmt.Sprint(activated("gn_whole", s.SiLU), chunks)
	return recipe(func(o operands) []launch {
		return []launch{{
			module: "norm", name: name,
			grid: [3]int{groups, 1, 1}, block: [3]int{threads, 1, 1},
			shared: 8 * chunks * threads / 32,
			args: []any{o.in[0], o.in[2], o.in[3], o.in[1], o.out,
				int32(pixels), int32(cg), int32(affine), float32(stats.Eps), d.factor, d.shift},
		}}
	})
}

// newWholeData returns the kernel for gn_sums and gn_data, or nil.
func newWholeData(s op.GNData, c engine.Call) kernel {
	x := c.Out
	pixels, cg := x[2]*x[3], x[1]/s.Groups
	across := rowWidth(pixels)
	rows := min(cg, wholeThreads/across)
	maps := parts(cg, rows)
	if pixels > wholeHeld*quad*across || maps > wholeMaps {
		return nil
	}
	groups, affine := normGroups(x[0], s.Groups, s.PerImage)
	name := fmt.Sprint(activated("gn_whole_data", s.SiLU), maps)
	return recipe(func(o operands) []launch {
		return []launch{{
			module: "norm", name: name,
			grid: [3]int{groups, 1, 1}, block: [3]int{across, rows, 1},
			shared: 8*maps*across*rows/32 + 8*cg,
			args:   append(inputs(o), o.out, int32(pixels), int32(cg), int32(affine)),
		}}
	})
}
