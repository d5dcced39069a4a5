package guide

import (
	"context"
	"errors"
	"fmt"

	"edm/sample"
)

// guided is a main network whose estimate a partner corrects in an interval of
// noise levels.
type guided struct {
	main               sample.Denoiser
	partner            partner
	options            Options
	needsLabels        bool
	sigmaMin, sigmaMax float64

	evaluations int
	term        []float64 // the partner's value
	some        subset
}

// SigmaRange returns the noise levels that all networks support.
func (g *guided) SigmaRange() (min, max float64) { return g.sigmaMin, g.sigmaMax }

// RoundSigma returns the main network's nearest level.
func (g *guided) RoundSigma(sigma float64) float64 { return g.main.RoundSigma(sigma) }

// Evaluations implements Denoiser.
func (g *guided) Evaluations() int { return g.evaluations }

// Cost implements Denoiser.
func (g *guided) Cost(sigma float64) int {
	switch acts := g.options.acts(sigma); {
	case !acts || g.partner.idle():
		return cost(g.main, sigma)
	case g.partner.alone():
		return g.partner.cost(sigma)
	}
	return cost(g.main, sigma) + g.partner.cost(sigma)
}

// Denoise implements sample.Denoiser.
func (g *guided) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	r := request{x: x, sigma: sigma, labels: labels}
	if err := g.check(dst, r); err != nil {
		return fmt.Errorf("guide: denoise: %w", err)
	}
	if !g.options.acts(sigma) || g.partner.idle() {
		return g.runMain(ctx, dst, r)
	}
	if g.partner.alone() {
		return g.runPartner(ctx, dst, r)
	}
	if err := g.runMain(ctx, dst, r); err != nil {
		return err
	}
	term := grow(&g.term, len(x))
	if err := g.runPartner(ctx, term, r); err != nil {
		return err
	}
	g.partner.mix(dst, term, sigma)
	return nil
}

func (g *guided) check(dst []float64, r request) error {
	if len(dst) != len(r.x) {
		return fmt.Errorf("%d and %d elements, want equal numbers", len(dst), len(r.x))
	}
	if g.needsLabels && len(r.labels) == 0 {
		return errors.New("guidance towards a class needs class labels, and there are none")
	}
	return nil
}

// runMain and runPartner evaluate one of the parts and count its cost, at the
// dearest noise level of the request.
func (g *guided) runMain(ctx context.Context, dst []float64, r request) error {
	if err := r.denoise(ctx, dst, g.main); err != nil {
		return fmt.Errorf("guide: main network: %w", err)
	}
	g.evaluations += r.dearest(func(sigma float64) int { return cost(g.main, sigma) })
	return nil
}

func (g *guided) runPartner(ctx context.Context, dst []float64, r request) error {
	if err := g.partner.evaluate(ctx, dst, r); err != nil {
		return fmt.Errorf("guide: guiding term: %w", err)
	}
	g.evaluations += r.dearest(g.partner.cost)
	return nil
}

// dearest returns the largest cost over the noise levels of r.
func (r request) dearest(cost func(sigma float64) int) int {
	if r.sigmas == nil {
		return cost(r.sigma)
	}
	most := 0
	for _, sigma := range r.sigmas {
		most = max(most, cost(sigma))
	}
	return most
}

// grow makes a slice n long, with arbitrary contents.
func grow[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	*s = (*s)[:n]
	return *s
}
