package train

import (
	"fmt"
	"math"

	"edm/data"
	"edm/model"
)

// stepper advances weights by one batch. It is all of training that computes.
type stepper struct {
	config  Config
	device  *model.Device
	program *model.Loss
	weights *weights
	draw    func(b *data.Batch, at int) (*model.Batch, error) // what is random about images [at, at+Micro) of b
	losses  []float64
	nimg    int64 // images seen
	step    int64 // optimiser steps taken
}

func newStepper(c Config, m *model.Model, d *model.Device) (*stepper, error) {
	draws, err := newDraws(c, m.Config().Dim())
	if err != nil {
		return nil, err
	}
	program, err := m.NewRecomputingLoss(draws.loss, c.Micro, c.recompute())
	if err != nil {
		return nil, err
	}
	s := &stepper{
		config: c, device: d, program: program, weights: newWeights(m.Layout()),
		draw: draws.fill, losses: make([]float64, c.Micro),
	}
	if err := m.Layout().Init(s.weights.raw, c.Seed); err != nil {
		return nil, err
	}
	copy(s.weights.ema, s.weights.raw)
	return s, nil
}

// gradient accumulates the gradient of a whole batch, microbatch by
// microbatch, and reports the losses to st.
func (s *stepper) gradient(b *data.Batch, st *stats) error {
	for at := 0; at < b.N; at += s.config.Micro {
		to := s.weights.grad
		if at > 0 {
			to = s.weights.accumulating
		}
		m, err := s.draw(b, at)
		if err != nil {
			return err
		}
		if err := s.program.Run(s.weights.raw, to, s.losses, m); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		for i, v := range s.losses {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("train: the loss of image %d is %v at sigma %.4g: lower --lr, or set --clip-norm; the last state is intact",
					m.Counter[i], v, m.Sigma[i])
			}
		}
		st.add(m.Sigma, s.losses)
		if at > 0 {
			s.device.Accumulate(s.weights.grad, to)
		}
	}
	return nil
}

// advance takes one optimiser step with a batch.
func (s *stepper) advance(b *data.Batch, st *stats) error {
	if err := s.gradient(b, st); err != nil {
		return err
	}
	w, c := s.weights, s.config
	norm := s.device.Norm(w.grad)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("train: the gradient after %d images is not finite: lower --lr, or set --clip-norm; the last state is intact", s.nimg)
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
	s.device.Adam(u, w.raw, w.ema, w.m, w.v, w.grad)
	s.nimg += int64(b.N)
	st.norm += norm
	st.steps++
	st.images += b.N
	st.lastRate = u.LR
	return nil
}
