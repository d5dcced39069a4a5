package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"edm/data"
	"edm/model"
)

// ErrNotFinite says that a loss or a gradient is infinite or not a number. Nothing was
// changed by it: the last state is intact.
var ErrNotFinite = errors.New("not a finite number: the training diverges, and a lower learning rate or a limit on the gradient's norm may prevent that; the last state is intact")

// stepper advances weights by one batch. It is all of training that computes.
type stepper struct {
	config  Config
	device  *model.Device
	program *model.Loss
	weights *weights
	draw    func(b *data.Batch, at int) (*model.Batch, error) // what is random about images [at, at+Micro) of b; the last two are valid
	next    func() *data.Batch                                // the batch of the next step, or nil if it is not known; may be nil
	ahead   drawn
	losses  []float64
	nimg    int64 // images seen
	step    int64 // optimiser steps taken
}

// drawn is a microbatch that was drawn ahead of its step.
type drawn struct {
	from  *data.Batch // nil for none
	batch *model.Batch
}

// newStepper returns a stepper with initial weights, mirrored on the device until
// release.
func newStepper(c Config, m *model.Model, d *model.Device) (*stepper, error) {
	draws, err := newDraws(c, m.Config().Dim())
	if err != nil {
		return nil, err
	}
	s := &stepper{config: c, device: d, draw: draws.fill, losses: make([]float64, c.Micro)}
	// A plan that does not fit is refused before there are weights. A device with a
	// memory of its own is asked after them: then it says what fits beside them.
	order := []func() error{
		func() error {
			s.program, err = m.NewRecomputingLoss(draws.loss, c.Micro, c.recompute())
			return err
		},
		func() error { return s.allocate(m.Layout()) },
	}
	if d.HasMemory() {
		slices.Reverse(order)
	}
	for _, do := range order {
		if err := do(); err != nil {
			return nil, errors.Join(err, s.release())
		}
	}
	return s, nil
}

// allocate makes initial weights and mirrors them.
func (s *stepper) allocate(l model.Layout) error {
	s.weights = newWeights(l)
	if err := l.Init(s.weights.raw, s.config.Seed); err != nil {
		return err
	}
	copy(s.weights.ema, s.weights.raw)
	if err := s.device.Mirror(s.weights.all()...); err != nil {
		return fmt.Errorf("train: weights, average, moments and gradients: %w", err)
	}
	return nil
}

// release gives what there is of the device's copies of the buffers, and of the
// program, back.
func (s *stepper) release() error {
	var errs []error
	if s.weights != nil {
		errs = append(errs, s.device.Release(s.weights.all()...))
	}
	if s.program != nil {
		errs = append(errs, s.program.Close())
	}
	return errors.Join(errs...)
}

// gradient accumulates the gradient of a whole batch, microbatch by
// microbatch, and reports the losses to st.
//
// Microbatches are drawn ahead, the last one for the next step: while a GPU
// computes, the processor draws and sends what comes then.
func (s *stepper) gradient(b *data.Batch, st *stats) error {
	m, err := s.first(b)
	if err != nil {
		return err
	}
	for at, n := 0, b.N; at < n; at += s.config.Micro {
		to := s.weights.grad
		if at > 0 {
			to = s.weights.accumulating
		}
		if err := s.program.Start(s.weights.raw, to, m); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		next, drawErr := s.following(b, at+s.config.Micro)
		if err := s.program.Wait(s.losses); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		if err := s.collect(m, st); err != nil {
			return err
		}
		if drawErr != nil {
			return drawErr
		}
		if at > 0 {
			if err := s.device.Accumulate(s.weights.grad, to); err != nil {
				return fmt.Errorf("train: add gradients: %w", err)
			}
		}
		m = next
	}
	return nil
}

// first returns the first microbatch of a batch, drawn already or now.
func (s *stepper) first(b *data.Batch) (*model.Batch, error) {
	ahead := s.ahead
	s.ahead = drawn{}
	if ahead.from == b {
		return ahead.batch, nil
	}
	return s.draw(b, 0)
}

// following draws the microbatch at image at of a batch, or behind its end the
// first one of the next batch if that is known, and has it sent ahead.
func (s *stepper) following(b *data.Batch, at int) (*model.Batch, error) {
	from := b
	if at >= b.N {
		if s.next == nil {
			return nil, nil
		}
		if from, at = s.next(), 0; from == nil {
			return nil, nil
		}
	}
	m, err := s.draw(from, at)
	if err != nil {
		return nil, err
	}
	if from != b {
		s.ahead = drawn{from, m}
	}
	if err := s.program.Prefetch(m); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return m, nil
}

// collect reports the losses of a microbatch.
func (s *stepper) collect(m *model.Batch, st *stats) error {
	for i, v := range s.losses {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("train: the loss of image %d is %v at sigma %.4g: %w", m.Counter[i], v, m.Sigma[i], ErrNotFinite)
		}
	}
	st.add(m.Sigma, s.losses)
	return nil
}

// advance takes one optimiser step with a batch.
func (s *stepper) advance(b *data.Batch, st *stats) error {
	images := b.N
	if err := s.gradient(b, st); err != nil {
		return err
	}
	w, c := s.weights, s.config
	norm, err := s.device.Norm(w.grad)
	if err != nil {
		return fmt.Errorf("train: gradient norm: %w", err)
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("train: the gradient after %d images: %w", s.nimg, ErrNotFinite)
	}
	scale := 1.0
	if c.ClipNorm > 0 && norm > c.ClipNorm {
		scale = c.ClipNorm / norm
	}
	s.step++
	u := model.Update{
		LR: c.learningRate(s.nimg), Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, Step: s.step,
		GradScale: scale, EMABeta: c.emaBeta(s.nimg),
	}
	if err := s.device.Adam(u, w.raw, w.ema, w.m, w.v, w.grad); err != nil {
		return fmt.Errorf("train: Adam: %w", err)
	}
	s.nimg += int64(images)
	st.norm += norm
	st.steps++
	st.images += images
	st.lastRate = u.LR
	return nil
}
