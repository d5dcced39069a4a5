package guide

import (
	"context"
	"fmt"
)

// guidedRows is a guided denoiser whose parts are all sample.Rows.
type guidedRows struct{ *guided }

// DenoiseRows implements sample.Rows. The main network is evaluated for all
// images, the partner for those at whose noise level guidance acts.
func (g *guidedRows) DenoiseRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	r := request{x: x, sigmas: sigmas, labels: labels}
	err := g.check(dst, r)
	if err == nil && (len(sigmas) == 0 || len(x)%len(sigmas) != 0 || len(labels)%len(sigmas) != 0) {
		err = fmt.Errorf("%d elements and %d labels do not divide among %d noise levels", len(x), len(labels), len(sigmas))
	}
	if err != nil {
		return fmt.Errorf("guide: denoise rows: %w", err)
	}
	g.some.gather(r, g.options)
	n := len(g.some.rows)
	if n == len(sigmas) && g.partner.alone() {
		return g.runPartner(ctx, dst, r)
	}
	if err := g.runMain(ctx, dst, r); err != nil {
		return err
	}
	if n == 0 || g.partner.idle() {
		return nil
	}
	term := grow(&g.term, len(g.some.x))
	if err := g.runPartner(ctx, term, g.some.request()); err != nil {
		return err
	}
	dim := len(x) / len(sigmas)
	for k, i := range g.some.rows {
		g.partner.mix(dst[i*dim:(i+1)*dim], term[k*dim:(k+1)*dim], sigmas[i])
	}
	return nil
}

// subset are the images of a request at whose noise level guidance acts.
type subset struct {
	rows      []int // their numbers in the request
	x, sigmas []float64
	labels    []float32
}

// gather copies the images of r at whose noise level guidance acts.
func (s *subset) gather(r request, o Options) {
	s.rows, s.x, s.sigmas, s.labels = s.rows[:0], s.x[:0], s.sigmas[:0], s.labels[:0]
	dim, classes := len(r.x)/len(r.sigmas), len(r.labels)/len(r.sigmas)
	for i, sigma := range r.sigmas {
		if !o.acts(sigma) {
			continue
		}
		s.rows, s.sigmas = append(s.rows, i), append(s.sigmas, sigma)
		s.x = append(s.x, r.x[i*dim:(i+1)*dim]...)
		s.labels = append(s.labels, r.labels[i*classes:(i+1)*classes]...)
	}
}

// request asks for the images gathered. No labels stay no labels.
func (s *subset) request() request {
	r := request{x: s.x, sigmas: s.sigmas}
	if len(s.labels) > 0 {
		r.labels = s.labels
	}
	return r
}
