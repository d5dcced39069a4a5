package lab

import (
	"context"
	"fmt"

	"edm/sample"
)

// Reference is a close solution of the probability-flow ODE from the latents of
// a Problem.
type Reference struct {
	SigmaMax, SigmaMin float64 // between which it is solved; from SigmaMin to 0 goes one Euler step
	Steps, NFE         int
	Accuracy           float64 // its own RMS error, from a run of half the steps
	Seconds            float64 // an image
	Mean, Std          float64 // over all numbers of all images
	Images             []float64
}

// solve returns the reference over the given noise levels by Heun's method: an
// error of order 1/steps^2, so that a run of half the steps differs by three
// times the error. work, which may be nil, is told of the steps.
func (p Problem) solve(ctx context.Context, levels span, steps int, work Work) (Reference, error) {
	o := sample.DefaultSettings()
	o.NumSteps, o.SigmaMax, o.SigmaMin = steps, levels.from, levels.to
	what := fmt.Sprintf("reference of %d steps from sigma %.4g to %.4g", steps, levels.from, levels.to)
	work.tell(what, 0, steps)
	fine, err := p.run(ctx, o, work.hook(what))
	if err != nil {
		return Reference{}, fmt.Errorf("lab: reference of %d steps: %w", steps, err)
	}
	o.NumSteps = max(steps/2, 1)
	what = fmt.Sprintf("its accuracy, from %d steps", o.NumSteps)
	work.tell(what, 0, o.NumSteps)
	half, err := p.run(ctx, o, work.hook(what))
	if err != nil {
		return Reference{}, fmt.Errorf("lab: reference of %d steps: %w", o.NumSteps, err)
	}
	r := Reference{
		SigmaMax: levels.from, SigmaMin: levels.to, Steps: fine.steps, NFE: fine.nfe,
		Accuracy: rms(fine.x, half.x) / 3, Seconds: fine.seconds, Images: fine.x,
	}
	r.Mean, r.Std = moments(r.Images)
	return r, nil
}
