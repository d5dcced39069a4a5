package train

import (
	"context"
	"errors"
	"time"

	"edm/data"
	"edm/loss"
	"edm/model"
)

// PlanInfo is the memory and time that a run would need.
type PlanInfo struct {
	Parameters      int
	ArenaBytes      int64   // compiled step: activations, gradients in flight, scratch
	StateBytes      int64   // weights, average, moments, gradients
	ValidationBytes int64   // its compiled program, and images as bytes
	DeviceBytes     int64   // of a GPU's memory: all that but validation's images, and what stages inputs and outputs; 0 on other devices
	AllowanceBytes  int64   // of a GPU's memory on top, for the code of kernels and for captured graphs, which only the driver knows
	FlopsPerImage   float64 // forward and backward, direct convolutions, recomputation left out
	SecondsPerImage float64 // measured on one microbatch
}

// Estimate compiles a configuration and returns the memory and work of a run. It
// allocates none of that memory.
func Estimate(c Config, d *model.Device) (PlanInfo, error) {
	m, o, err := c.build(d)
	if err != nil {
		return PlanInfo{}, err
	}
	step, err := m.PlanLoss(o, c.Micro, true, c.recompute())
	if err != nil {
		return PlanInfo{}, err
	}
	info := PlanInfo{
		Parameters: m.Layout().Count, ArenaBytes: step.ArenaBytes, StateBytes: int64(m.Layout().Size) * 4 * 6,
		FlopsPerImage: (step.Flops - step.Recomputed) / float64(c.Micro),
	}
	held := step.ArenaBytes + step.StagingBytes + info.StateBytes
	info.AllowanceBytes = step.AllowanceBytes
	if c.Validation > 0 {
		v, err := m.PlanLoss(o, c.Micro, false, model.Recompute{})
		if err != nil {
			return PlanInfo{}, err
		}
		images := (c.Validation + c.Micro - 1) / c.Micro * c.Micro
		info.ValidationBytes = v.ArenaBytes + int64(images)*int64(m.Config().Dim())
		held += v.ArenaBytes + v.StagingBytes
		info.AllowanceBytes = max(info.AllowanceBytes, v.AllowanceBytes) // most kernels are the same
	}
	if d.HasMemory() {
		info.DeviceBytes = held
	}
	return info, nil
}

// build returns the model and the objective of a valid configuration.
func (c Config) build(d *model.Device) (*model.Model, loss.Objective, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	mc, err := c.Model()
	if err != nil {
		return nil, nil, err
	}
	o, err := c.Objective()
	if err != nil {
		return nil, nil, err
	}
	m, err := model.New(mc, d)
	return m, o, err
}

// Trade is a choice of values that a step computes again, with its memory and work.
type Trade struct {
	Recompute  model.Recompute
	ArenaBytes int64   // compiled step
	Work       float64 // operations beyond those of keeping all, as a fraction of them
}

// Trades returns the memory and work of a step for several choices: nothing
// recomputed, values without products recomputed, and then the network's levels,
// largest first, each with those before. It allocates none of that memory.
func Trades(c Config, d *model.Device) ([]Trade, error) {
	m, o, err := c.build(d)
	if err != nil {
		return nil, err
	}
	levels := m.Config().Network.Levels()
	choices := []model.Recompute{{}, {Light: true}}
	for i := range levels {
		choices = append(choices, model.Recompute{Levels: levels[:i+1]})
	}
	var trades []Trade
	for _, r := range choices {
		p, err := m.PlanLoss(o, c.Micro, true, r)
		if err != nil {
			return nil, err
		}
		trades = append(trades, Trade{r, p.ArenaBytes, p.Recomputed / (p.Flops - p.Recomputed)})
	}
	return trades, nil
}

// Plan is Estimate with the time: it runs a microbatch of black images with noise.
func Plan(c Config, d *model.Device) (PlanInfo, error) {
	info, err := Estimate(c, d)
	if err != nil {
		return info, err
	}
	mc, err := c.Model()
	if err != nil {
		return info, err
	}
	m, err := model.New(mc, d)
	if err != nil {
		return info, err
	}
	s, err := newStepper(c, m, d)
	if err != nil {
		return info, err
	}
	took, err := s.timeGradient(mc.Dim())
	info.SecondsPerImage = took.Seconds() / float64(c.Micro)
	return info, errors.Join(err, s.release())
}

// timeGradient returns the time of one microbatch.
func (s *stepper) timeGradient(dim int) (time.Duration, error) {
	c := s.config
	s.source = &fixed{draws: s.draws, batch: &data.Batch{N: c.Micro, Pixels: make([]uint8, c.Micro*dim), Labels: make([]int, c.Micro)}}
	o, err := c.Objective()
	if err != nil {
		return 0, err
	}
	st := stats{bins: bins{axis: newAxis(o)}}
	best := time.Duration(1<<63 - 1)
	for range 2 { // the first run touches the arena's pages
		start := time.Now()
		if err := s.microbatch(context.Background(), s.weights.grad, &st); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}
