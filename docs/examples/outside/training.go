package outside

import (
	"context"
	"errors"
	"math"

	"gorgonia.org/gorgonia"

	"edm/data"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/train"
)

// Angles is the objective of Velocity: the angle arctan(sigma / Data) is uniform, and
// the weight is that of the squared error of the velocity.
type Angles struct{ Data float64 }

// Name implements loss.Objective.
func (Angles) Name() string { return "angles" }

// Params implements loss.Objective.
func (a Angles) Params() map[string]float64 { return map[string]float64{"data": a.Data} }

// Validate implements loss.Objective.
func (a Angles) Validate() error {
	if !(a.Data > 0) {
		return errors.New("data is not above 0")
	}
	return nil
}

// Sigma implements loss.Objective for a draw in [0, 1).
func (a Angles) Sigma(draw float64) float64 {
	const low, high = 0.01, math.Pi/2 - 0.01
	return a.Data * math.Tan(low+draw*(high-low))
}

// Draw implements loss.Objective.
func (a Angles) Draw(seed, counter uint64) float64 { return a.Sigma(loss.Uniform(seed, counter)) }

// Quantile implements loss.Objective.
func (a Angles) Quantile(p float64) float64 { return a.Sigma(p) }

// Weight implements loss.Objective: 1 / c_out^2.
func (a Angles) Weight(sigma float64) float64 {
	out := Velocity(a).Coeffs(sigma).COut
	return 1 / (out * out)
}

// Nodes implements loss.Objective.
func (Angles) Nodes(d, y, weight *gorgonia.Node) (*gorgonia.Node, error) {
	return loss.SquaredError(d, y, weight)
}

// Register makes both known by name.
func Register() error {
	return errors.Join(
		loss.Register("angles", func(params map[string]float64) (loss.Objective, error) { return Angles{Data: params["data"]}, nil }),
		precond.Register("velocity", func(params map[string]float64) (precond.Preconditioning, error) {
			return Velocity{Data: params["data"]}, nil
		}),
	)
}

// Train trains a small network with them on the demo set for some thousands of images,
// into a folder of runs, and returns how it ended.
func Train(ctx context.Context, runs string, kimg float64, hooks train.Hooks) (train.Result, error) {
	config, err := train.Preset("demo")
	if err != nil {
		return train.Result{}, err
	}
	images, err := data.Demo()
	if err != nil {
		return train.Result{}, err
	}
	config.SetData(images)
	config.Precond, config.PrecondParams = "velocity", map[string]float64{"data": 0.5}
	config.Loss, config.LossParams = "angles", map[string]float64{"data": 0.5}
	config.ModelChannels, config.NumBlocks = 8, 1
	config.Batch, config.Micro, config.Duration, config.Validation = 16, 16, kimg*1e-3, 0
	device, err := model.OpenCPU(0)
	if err != nil {
		return train.Result{}, err
	}
	defer device.Close()
	return train.Run(ctx, config, train.Options{OutDir: runs, Dataset: images, Device: device, Hooks: hooks})
}
