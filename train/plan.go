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

// Plan compiles a configuration and times one microbatch of noise.
func Plan(c Config, d *model.Device) (PlanInfo, error) {
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
	s, err := newStepper(c, m, d)
	if err != nil {
		return PlanInfo{}, err
	}
	b := &data.Batch{N: c.Micro, Images: make([]float32, c.Micro*mc.Dim()), Labels: make([]int, c.Micro)}
	rng.FillNormal(b.Images, 0, rng.Noise, 0)
	var st stats
	st.bins.loss = c.Loss()
	best := time.Duration(1<<63 - 1)
	for range 2 { // the first run touches the arena's pages
		start := time.Now()
		if err := s.gradient(b, &st); err != nil {
			return PlanInfo{}, err
		}
		best = min(best, time.Since(start))
	}
	program := s.program.Program().Program()
	validation, err := validationBytes(c, m)
	if err != nil {
		return PlanInfo{}, err
	}
	return PlanInfo{
		ValidationBytes: validation,
		Parameters:      m.Layout().Count, ArenaBytes: program.ArenaBytes(), StateBytes: int64(m.Layout().Size) * 4 * 6,
		FlopsPerImage:   program.Flops() / float64(c.Micro),
		SecondsPerImage: best.Seconds() / float64(c.Micro),
	}, nil
}

// validationBytes returns what the validation of a run takes.
func validationBytes(c Config, m *model.Model) (int64, error) {
	if c.Validation == 0 {
		return 0, nil
	}
	l, err := m.NewLoss(c.Loss(), c.Micro, false)
	if err != nil {
		return 0, err
	}
	images := (c.Validation + c.Micro - 1) / c.Micro * c.Micro
	return l.Program().Program().ArenaBytes() + int64(images)*int64(m.Config().Dim())*4*2, nil
}
