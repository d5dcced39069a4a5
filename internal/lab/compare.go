package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"edm/sample"
)

// Entry is one sampler to compare. Its number of steps, or an adaptive solver's
// tolerance, is the comparison's to choose.
type Entry struct {
	Name    string // how tables and plots call it
	Options sample.Settings
}

// CompareOptions are the budgets of each sampler.
type CompareOptions struct {
	Budgets        []int     // network evaluations
	Tolerances     []float64 // relative tolerances, of adaptive solvers; their absolute ones keep their ratio to it
	ReferenceSteps int       // of Heun's method
}

// DefaultCompareOptions returns four budgets, three tolerances and a reference
// of 1000 steps.
func DefaultCompareOptions() CompareOptions {
	return CompareOptions{Budgets: []int{8, 16, 32, 64}, Tolerances: []float64{1e-1, 1e-2, 1e-3}, ReferenceSteps: 1000}
}

// Validate reports every option that makes no sense, joined into one error.
func (o CompareOptions) Validate() error {
	var errs []error
	for _, b := range o.Budgets {
		if b < 1 {
			errs = append(errs, fmt.Errorf("budget is %d evaluations, want at least 1", b))
		}
	}
	for _, t := range o.Tolerances {
		if !(t > 0) || math.IsInf(t, 1) {
			errs = append(errs, fmt.Errorf("tolerance is %g, want a finite number above 0", t))
		}
	}
	if len(o.Budgets) == 0 || len(o.Tolerances) == 0 {
		errs = append(errs, errors.New("no budgets or no tolerances, want at least one of each"))
	}
	if o.ReferenceSteps < 2 {
		errs = append(errs, fmt.Errorf("reference of %d steps, want at least 2", o.ReferenceSteps))
	}
	return errors.Join(errs...)
}

// Trial is one sampler at one budget or tolerance.
type Trial struct {
	Entry      string
	Budget     int     // network evaluations allowed; 0 for an adaptive solver
	Tolerance  float64 // of an adaptive solver; 0 for others
	Steps      int     // 0 for an adaptive solver
	NFE        int     // network evaluations of an image, all networks counted; their mean if images differ
	Seconds    float64 // an image
	Stochastic bool
	RMS        float64 // error against the reference, NaN for stochastic samplers, which no ODE solution is the limit of
	Mean, Std  float64 // over all numbers of all images
	Images     []float64
	Note       string // why there are no images; "" if there are
	reference  int    // number of its Reference
}

// String describes a trial in a line.
func (t Trial) String() string {
	text := fmt.Sprintf("%s at %s: ", t.Entry, t.allowed())
	if t.Note != "" {
		return text + t.Note
	}
	text += fmt.Sprintf("%d evaluations, %.3g s an image", t.NFE, t.Seconds)
	if !t.Stochastic {
		text += fmt.Sprintf(", RMS error %.3g", t.RMS)
	}
	return text
}

// Comparison is the result of Compare.
type Comparison struct {
	Dim        int
	Trials     []Trial // entry by entry, in the order given
	References []Reference
}

// Reference returns the solution that a trial is compared with; false if the
// trial failed.
func (c *Comparison) Reference(t Trial) (Reference, bool) {
	if t.Note != "" {
		return Reference{}, false
	}
	return c.References[t.reference], true
}

// Compare draws the problem's images with each entry at each budget, from the
// same latents. A budget below a solver's least and a run that fails are noted
// in their Trial; the end of ctx, faulty options and a failing reference are
// errors. report, which may be nil, is told each trial as it ends, and work, which
// may be nil, how far the references have come.
func Compare(ctx context.Context, p Problem, entries []Entry, o CompareOptions, report func(Trial), work Work) (*Comparison, error) {
	if err := errors.Join(p.Validate(), o.Validate()); err != nil {
		return nil, fmt.Errorf("lab: compare: %w", err)
	}
	c := &comparing{Comparison: &Comparison{Dim: p.Dim}, problem: p, options: o, work: work}
	for _, e := range entries {
		trials, err := plan(p.Denoiser, e, o)
		if err != nil {
			return nil, err
		}
		for _, t := range trials {
			if err := c.try(ctx, &t); err != nil {
				return nil, err
			}
			c.Trials = append(c.Trials, t.Trial)
			if report != nil {
				report(t.Trial)
			}
		}
	}
	return c.Comparison, nil
}

// planned is a trial to come.
type planned struct {
	Trial
	options sample.Settings
}

// plan returns the trials of an entry.
func plan(d sample.Denoiser, e Entry, o CompareOptions) ([]planned, error) {
	info, err := sample.Describe(e.Options.Solver)
	if err != nil {
		return nil, fmt.Errorf("lab: compare %s: %w", e.Name, err)
	}
	var trials []planned
	if info.Adaptive {
		for _, tolerance := range o.Tolerances {
			t := planned{Trial{Entry: e.Name, Tolerance: tolerance}, e.Options}
			t.options.ATol *= tolerance / t.options.RTol
			t.options.RTol = tolerance
			trials = append(trials, t)
		}
		return trials, nil
	}
	for _, budget := range o.Budgets {
		t := planned{Trial{Entry: e.Name, Budget: budget}, e.Options}
		if t.options.NumSteps, err = StepsFor(d, e.Options, budget); err != nil {
			t.Note = tooFew(d, e.Options)
		}
		trials = append(trials, t)
	}
	return trials, nil
}

// tooFew names the least evaluations of a solver.
func tooFew(d sample.Denoiser, o sample.Settings) string {
	o.NumSteps = 1
	least, err := Evaluations(d, o)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("needs at least %d evaluations", least)
}

// comparing is a comparison under way.
type comparing struct {
	*Comparison
	problem Problem
	options CompareOptions
	work    Work
	spans   []span // of the references
}

// try runs a trial.
func (c *comparing) try(ctx context.Context, t *planned) error {
	if t.Note != "" {
		return nil
	}
	levels, err := c.problem.span(t.options)
	if err != nil {
		t.Note = err.Error()
		return nil
	}
	// Before the trial, so that the clock does not start on a cold network.
	if t.reference, err = c.against(ctx, levels); err != nil {
		return err
	}
	out, err := c.problem.run(ctx, t.options, nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		t.Note = err.Error()
		return nil
	}
	t.Steps, t.NFE, t.Seconds, t.Stochastic, t.Images = out.steps, out.nfe, out.seconds, out.stochastic, out.x
	t.Mean, t.Std = moments(out.x)
	t.RMS = math.NaN()
	if !out.stochastic {
		t.RMS = rms(out.x, c.References[t.reference].Images)
	}
	return nil
}

// against returns the number of the reference over the given levels, solved at
// first use.
func (c *comparing) against(ctx context.Context, levels span) (int, error) {
	if i := slices.Index(c.spans, levels); i >= 0 {
		return i, nil
	}
	r, err := c.problem.solve(ctx, levels, c.options.ReferenceSteps, c.work)
	if err != nil {
		return 0, err
	}
	c.spans = append(c.spans, levels)
	c.References = append(c.References, r)
	return len(c.spans) - 1, nil
}
