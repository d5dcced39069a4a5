package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"edm/sample"
)

// Grid is a number of steps and the exponent of their noise levels (EDM Eq. 5).
type Grid struct {
	Steps int
	Rho   float64
}

// Truncation is the local error of a solver's steps: the distance, after one step from
// a point of the exact solution, from the solution at its end (EDM App. D.1).
type Truncation struct {
	Solver string
	Grid
	Sigma []float64 // where the steps start
	RMS   []float64 // their errors
}

// fineSteps is how many steps of RK4 stand for the exact solution at least. On
// grids of up to half as many steps they leave every error within 2 %.
const fineSteps = 64

// Truncations returns the local errors of Euler's and Heun's methods, in this
// order, on each grid over o's range. The last step, to 0, is left out. All grids
// share one solution, which is followed through the levels of all of them. work,
// which may be nil, is told how far it has come.
func Truncations(ctx context.Context, p Problem, o sample.Settings, grids []Grid, work Work) ([]Truncation, error) {
	return p.truncations(ctx, o, grids, fineSteps, work)
}

func (p Problem) truncations(ctx context.Context, o sample.Settings, grids []Grid, fine int, work Work) ([]Truncation, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("lab: truncation: %w", err)
	}
	followers, levels, err := p.follow(o, grids)
	if err != nil {
		return nil, fmt.Errorf("lab: truncation: %w", err)
	}
	x, err := p.start(levels[0])
	if err != nil {
		return nil, fmt.Errorf("lab: truncation: %w", err)
	}
	from, to := math.Pow(levels[0], 1/o.Rho), math.Pow(levels[len(levels)-1], 1/o.Rho)
	for k, sigma := range levels {
		if k > 0 {
			before := levels[k-1]
			length := (math.Pow(before, 1/o.Rho) - math.Pow(sigma, 1/o.Rho)) / (from - to)
			steps := max(1, int(math.Ceil(length*float64(fine))))
			if x, err = p.advance(ctx, "rk4", x, before, sigma, steps, o.Rho); err != nil {
				return nil, fmt.Errorf("lab: truncation: %w", err)
			}
		}
		for _, f := range followers {
			if err := f.reach(ctx, p, sigma, x); err != nil {
				return nil, fmt.Errorf("lab: truncation of %d steps: %w", f.grid.Steps, err)
			}
		}
		work.tell("errors of single steps", k+1, len(levels))
	}
	var all []Truncation
	for _, f := range followers {
		all = append(all, f.out...)
	}
	return all, nil
}

// follower tries the steps of one grid along a solution.
type follower struct {
	grid   Grid
	sigmas []float64 // falling, above 0
	at     int       // number of the next level to reach
	tries  [][]float64
	out    []Truncation
}

// follow returns a follower for each grid, and the levels of all, falling.
func (p Problem) follow(o sample.Settings, grids []Grid) (followers []*follower, levels []float64, err error) {
	for _, g := range grids {
		o.NumSteps, o.Rho = g.Steps, g.Rho
		s, err := sample.NewNamed(p.Denoiser, o)
		if err != nil {
			return nil, nil, err
		}
		f := &follower{grid: g, tries: make([][]float64, 2)}
		f.sigmas = s.Sigmas()
		f.sigmas = f.sigmas[:len(f.sigmas)-1]
		f.out = []Truncation{{Solver: "euler", Grid: g}, {Solver: "heun", Grid: g}}
		followers, levels = append(followers, f), append(levels, f.sigmas...)
	}
	if len(levels) == 0 {
		return nil, nil, errors.New("no grids, want at least one")
	}
	slices.Sort(levels)
	slices.Reverse(levels)
	return followers, slices.Compact(levels), nil
}

// start returns the problem's latents at a noise level.
func (p Problem) start(sigma float64) ([]float64, error) {
	x := make([]float64, len(p.Seeds)*p.Dim)
	err := sample.Latents(x, p.Seeds, p.Dim)
	for j := range x {
		x[j] *= sigma
	}
	return x, err
}

// reach compares the tries that end at a level of the grid with the solution x
// there, and makes those that start from it.
func (f *follower) reach(ctx context.Context, p Problem, sigma float64, x []float64) (err error) {
	if f.at == len(f.sigmas) || sigma != f.sigmas[f.at] {
		return nil
	}
	for k := range f.out {
		t := &f.out[k]
		if f.at > 0 {
			t.Sigma, t.RMS = append(t.Sigma, f.sigmas[f.at-1]), append(t.RMS, rms(f.tries[k], x))
		}
		if f.at+1 < len(f.sigmas) {
			if f.tries[k], err = p.advance(ctx, t.Solver, x, sigma, f.sigmas[f.at+1], 1, f.grid.Rho); err != nil {
				return err
			}
		}
	}
	f.at++
	return nil
}

// errThere ends a run at the level that it was to get to.
var errThere = errors.New("there")

// advance returns the state at noise level to, from x at level from, by a number
// of steps of a solver. It is the start of a run that ends at 0, left early.
func (p Problem) advance(ctx context.Context, solver string, x []float64, from, to float64, steps int, rho float64) ([]float64, error) {
	o := sample.DefaultSettings()
	o.Solver, o.NumSteps, o.SigmaMax, o.SigmaMin, o.Rho = solver, steps+1, from, to, rho
	s, err := sample.NewNamed(p.Denoiser, o)
	if err != nil {
		return nil, err
	}
	next := make([]float64, len(x))
	latents := make([]float64, len(x))
	for j, v := range x {
		latents[j] = v / from
	}
	b := sample.Batch{X: latents, Dim: p.Dim, Labels: p.Labels, Hook: func(step sample.Step) error {
		if math.Abs(step.SigmaNext-to) > 1e-12*to {
			return nil
		}
		copy(next, step.X)
		return errThere
	}}
	if _, err := s.Sample(ctx, b); !errors.Is(err, errThere) {
		return nil, errors.Join(fmt.Errorf("no step from noise level %g to %g", from, to), err)
	}
	return next, nil
}
