package lab

import (
	"context"
	"fmt"
	"slices"

	"edm/internal/gmm"
	"edm/sample"
)

// pathSteps is the number of Heun steps of a drawn solution: more than a figure
// has pixels for.
const pathSteps = 256

// path is the solution of the ODE from several latents, in the variables of EDM
// Table 1: sigma(t) = t and s(t) = 1. Others only change the axes (App. B.2).
type path struct {
	sigma []float64   // falling, the last 0
	x     [][]float64 // the state at each, [N, dim]
}

// solvePath solves the ODE of a mixture from sigmaMax to 0. latents are unit
// normals [N, dim].
func solvePath(ctx context.Context, m *gmm.Mixture, latents []float64, sigmaMax float64) (path, error) {
	o := sample.DefaultSettings()
	o.NumSteps, o.SigmaMax = pathSteps, sigmaMax
	s, err := sample.NewNamed(m, o)
	if err != nil {
		return path{}, fmt.Errorf("lab: toy: %w", err)
	}
	x := slices.Clone(latents)
	p := path{sigma: s.Sigmas(), x: [][]float64{slices.Clone(latents)}}
	for j := range p.x[0] {
		p.x[0][j] *= p.sigma[0]
	}
	_, err = s.Sample(ctx, sample.Batch{X: x, Dim: m.Dim(), Hook: func(step sample.Step) error {
		p.x = append(p.x, slices.Clone(step.X))
		return nil
	}})
	if err != nil {
		return path{}, fmt.Errorf("lab: toy: %w", err)
	}
	return p, nil
}

// nearest returns the index of the noise level next to sigma.
func (p path) nearest(sigma float64) int {
	i, _ := slices.BinarySearchFunc(p.sigma, sigma, func(level, target float64) int {
		switch {
		case level > target:
			return -1
		case level < target:
			return 1
		}
		return 0
	})
	return min(i, len(p.sigma)-1)
}
