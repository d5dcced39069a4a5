package train

import (
	"time"

	"edm/data"
	"edm/internal/rng"
	"edm/model"
)

// PlanInfo says what a run would need, before it starts.
type PlanInfo struct {
	Parameters      int
	ArenaBytes      int64   // compiled step: activations, gradients in flight, scratch
	StateBytes      int64   // weights, average, moments, gradients
	ValidationBytes int64   // its compiled program, images and noise
	FlopsPerImage   float64 // forward and backward, direct convolutions
	SecondsPerImage float64 // measured on one microbatch
}

// Estimate compiles a configuration and returns what a run would need but for
// the time. It allocates none of that.
func Estimate(c Config, d *model.Device) (PlanInfo, error) {
	if err := c.Validate(); err != nil {
		return PlanInfo{}, err
	}
	mc, err := c.Model()
	if err != nil {
		return PlanInfo{}, err
	}
	m, err := model.New(mc, d)
	if err != nil {
		return PlanInfo{}, err
	}
	o, err := c.Objective()
	if err != nil {
		return PlanInfo{}, err
	}
	arena, flops, err := m.PlanLoss(o, c.Micro, true)
	if err != nil {
		return PlanInfo{}, err
	}
	info := PlanInfo{
		Parameters: m.Layout().Count, ArenaBytes: arena, StateBytes: int64(m.Layout().Size) * 4 * 6,
		FlopsPerImage: flops / float64(c.Micro),
	}
	if c.Validation > 0 {
		arena, _, err = m.PlanLoss(o, c.Micro, false)
		images := (c.Validation + c.Micro - 1) / c.Micro * c.Micro
		info.ValidationBytes = arena + int64(images)*int64(mc.Dim())*4*2
	}
	return info, err
}

// Plan is Estimate with the time: it runs a microbatch of noise.
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
	return info, err
}

// timeGradient returns the time of one microbatch.
func (s *stepper) timeGradient(dim int) (time.Duration, error) {
	c := s.config
	b := &data.Batch{N: c.Micro, Images: make([]float32, c.Micro*dim), Labels: make([]int, c.Micro)}
	rng.FillNormal(b.Images, 0, rng.Noise, 0)
	o, err := c.Objective()
	if err != nil {
		return 0, err
	}
	st := stats{bins: bins{axis: newAxis(o)}}
	best := time.Duration(1<<63 - 1)
	for range 2 { // the first run touches the arena's pages
		start := time.Now()
		if err := s.gradient(b, &st); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}
