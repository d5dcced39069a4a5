package model

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/unet"
)

// Recompute says which values a training program computes again for the
// gradients in place of keeping them from the forward pass (gradient
// checkpointing: Chen et al. 2016): less memory for more time and the same bits.
// They are images inside the residual blocks. The outputs of blocks stay in memory,
// and so do the statistics of norms and attention. The zero value keeps everything.
type Recompute struct {
	Levels []int // image sizes at which all of them are computed again
	Light  bool  // those that take no matrix product are, at every size: norms, dropout, joins, changes of size
}

// Check returns an error for a level that the network has not.
func (r Recompute) Check(network unet.Config) error {
	for _, size := range r.Levels {
		if !slices.Contains(network.Levels(), size) {
			return fmt.Errorf("model: recompute is %v, want image sizes of the network's levels: %v", r.Levels, network.Levels())
		}
	}
	return nil
}

// forgetting returns the nodes that the program of a loss computes again.
func (r Recompute) forgetting(g *lossGraph) engine.Forgetting {
	f := engine.Forgetting{Until: g.losses}
	for _, block := range g.blocks {
		for _, n := range block {
			// Statistics have fewer dimensions and next to no size.
			if n.Dims() == 4 && (slices.Contains(r.Levels, n.Shape()[2]) || (r.Light && light(n))) {
				f.Values = append(f.Values, n)
			}
		}
	}
	return f
}

// light reports whether an operation takes no product of matrices.
func light(n *gorgonia.Node) bool {
	o, ok := n.Op().(op.Op)
	var in []tensor.Shape
	for _, c := range op.Children(n) {
		in = append(in, c.Shape())
	}
	return ok && op.Flops(o.Spec, in, n.Shape()) == 0
}

// LossPlan is the memory and work of a run of a loss's program.
type LossPlan struct {
	ArenaBytes int64 // peak memory beside inputs, losses, weights and gradients
	// Of a GPU's memory beside the arena; 0 on other devices. Staging is for the
	// inputs and losses: drawn noise, and Pixels, or Images in the training of a
	// network with augmentation labels. Allowance is for the code of kernels and for
	// captured graphs, whose size only the driver knows.
	StagingBytes, AllowanceBytes int64

	LiveBytes  int64 // the least that any placement of its values could do with
	Flops      float64
	Recomputed float64 // of Flops, those that compute values again
}

// PlanLoss returns the memory and work of a run of NewRecomputingLoss's program, or of
// NewLoss's without training. It allocates none of that memory.
func (m *Model) PlanLoss(o Objective, n int, training bool, r Recompute) (LossPlan, error) {
	g, err := m.lossGraph(o, n, training)
	if err != nil {
		return LossPlan{}, err
	}
	p, err := m.compileLoss(g, r)
	if err != nil {
		return LossPlan{}, err
	}
	need, err := p.Footprint(g.given())
	if err != nil {
		return LossPlan{}, err
	}
	plan := LossPlan{ArenaBytes: need.Arena, StagingBytes: need.Staging, AllowanceBytes: need.Allowance, LiveBytes: p.LiveBytes()}
	plan.Flops, plan.Recomputed = p.Flops()
	return plan, nil
}

// compileLoss compiles a loss with its gradients, if it has any.
func (m *Model) compileLoss(g *lossGraph, r Recompute) (*engine.Program, error) {
	if err := r.Check(m.config.Network); err != nil {
		return nil, err
	}
	if g.cotangent == nil { // there is no second pass
		r = Recompute{}
	}
	return engine.CompileForgetting(m.device.backend, r.forgetting(g), g.outputs()...)
}
