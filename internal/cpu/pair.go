package cpu

import (
	"slices"

	"edm/internal/engine"
	"edm/internal/op"
)

var _ engine.Pairer = (*Backend)(nil)

// Pair implements engine.Pairer: the two halves of a group normalisation, and
// those of its gradient.
func (b *Backend) Pair(first, second *engine.Step) engine.Kernel {
	if second.DType != engine.Float32 {
		return nil
	}
	switch s := second.Spec.(type) {
	case op.GNApply:
		stats, ok := first.Spec.(op.GNStats)
		if ok && stats.Groups == s.Groups && first.Inputs[0] == second.Inputs[0] && first.Output == second.Inputs[1] {
			return newGNStatsApply(b, stats, s, second.Call)
		}
	case op.GNData:
		sums := op.GNSums{Groups: s.Groups, SiLU: s.SiLU, PerImage: s.PerImage}
		if first.Spec == sums && slices.Equal(first.Inputs, second.Inputs[:5]) && first.Output == second.Inputs[5] {
			return newGNSumsData(b, s, second.Call)
		}
	}
	return nil
}
