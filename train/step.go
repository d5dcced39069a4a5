package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

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
	draws   *draws
	source  source // of microbatches; set before the first step
	losses  []float64
	nimg    int64 // images seen
	step    int64 // optimiser steps taken
}

// newStepper returns a stepper with initial weights, mirrored on the device until
// release.
func newStepper(c Config, m *model.Model, d *model.Device) (*stepper, error) {
	draws, err := newDraws(c, m.Config().Dim())
	if err != nil {
		return nil, err
	}
	s := &stepper{config: c, device: d, draws: draws, losses: make([]float64, c.Micro)}
	// The program comes before the weights, so that a plan that does not fit is refused
	// before they are allocated. On a device with its own memory it comes after them: then
	// its error names a batch that fits beside them.
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

// release frees the device's copies of the buffers, and the program, as far as they
// exist.
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

// gradient accumulates the gradient of a whole batch, microbatch by microbatch, and
// reports the losses to st.
func (s *stepper) gradient(ctx context.Context, st *stats) error {
	for at := 0; at < s.config.Batch; at += s.config.Micro {
		to := s.weights.grad
		if at > 0 {
			to = s.weights.accumulating
		}
		if err := s.microbatch(ctx, to, st); err != nil {
			return err
		}
		if at > 0 {
			if err := s.device.Accumulate(s.weights.grad, to); err != nil {
				return fmt.Errorf("train: add gradients: %w", err)
			}
		}
	}
	return nil
}

// microbatch writes the gradient of the next microbatch. While the device computes, the
// processor draws the one after it and sends it ahead.
func (s *stepper) microbatch(ctx context.Context, to []float32, st *stats) error {
	m, err := s.source.next(ctx)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer m.release()
	if err := s.program.Start(s.weights.raw, to, &m.Batch); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	var sendErr error
	if ahead := s.source.ahead(ctx); ahead != nil {
		sendErr = s.program.Prefetch(&ahead.Batch)
	}
	if err := errors.Join(s.program.Wait(s.losses), sendErr); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return s.collect(&m.Batch, st)
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

// advance takes one optimiser step with the next batch. A context that ends before all
// of it is read is an error, and nothing has changed.
func (s *stepper) advance(ctx context.Context, st *stats) error {
	images := s.config.Batch
	if err := s.gradient(ctx, st); err != nil {
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
