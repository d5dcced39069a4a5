package lab

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"edm/internal/gmm"
)

// axis is a choice of sigma(t) and s(t) (EDM Table 1): how a solution is drawn.
type axis struct {
	title string
	sigma func(t float64) float64
	time  func(sigma float64) float64
	scale func(sigma float64) float64
}

// axes returns the schedules of EDM Fig. 3.
func axes() []axis {
	const betaD, betaMin = 19.9, 0.1
	one := func(float64) float64 { return 1 }
	return []axis{
		{
			title: "VP",
			sigma: func(t float64) float64 { return math.Sqrt(math.Expm1(betaD*t*t/2 + betaMin*t)) },
			time: func(sigma float64) float64 {
				return (math.Sqrt(betaMin*betaMin+2*betaD*math.Log1p(sigma*sigma)) - betaMin) / betaD
			},
			scale: func(sigma float64) float64 { return 1 / math.Sqrt(1+sigma*sigma) },
		},
		{title: "VE", sigma: math.Sqrt, time: func(sigma float64) float64 { return sigma * sigma }, scale: one},
		{title: "EDM (DDIM)", sigma: func(t float64) float64 { return t }, time: func(sigma float64) float64 { return sigma }, scale: one},
	}
}

// Toy1D returns the figure of EDM Fig. 3: the ODE's solutions for data of two
// points, -1 and 1, over the time of the VP, VE and EDM schedules, up to noise
// level 25 and, below, 1. Behind them is the density of the noisy data, each
// time on a scale of its own; arrows are slopes, along which a solver's step
// goes.
func Toy1D(ctx context.Context) (*Figure, error) {
	const solutions, sigmaMax = 14, 25
	m, err := gmm.New([]float64{-1, 1}, 1, 0)
	if err != nil {
		return nil, err
	}
	latents := make([]float64, solutions)
	for k := range latents { // quantiles of the unit normal
		latents[k] = math.Sqrt2 * math.Erfinv((2*float64(k)+1)/solutions-1)
	}
	p, err := solvePath(ctx, m, latents, sigmaMax)
	if err != nil {
		return nil, err
	}
	f := &Figure{width: 760, height: 440}
	for _, top := range []float64{sigmaMax, 1} {
		var row []*plot.Plot
		for _, a := range axes() {
			panel, err := a.panel(m, p, top)
			if err != nil {
				return nil, err
			}
			row = append(row, panel)
		}
		f.plots = append(f.plots, row)
	}
	return f, nil
}

// panel draws solutions from noise level top down to 0.
func (a axis) panel(m *gmm.Mixture, p path, top float64) (*plot.Plot, error) {
	out := newPlot(fmt.Sprintf("%s, sigma up to %g", a.title, top), "t", "")
	right := a.time(top)
	half := 1.1 * a.scale(top) * math.Sqrt(1+top*top) * 2.2
	background, err := a.density(m, right, half)
	if err != nil {
		return nil, err
	}
	out.Add(plotter.NewImage(background, 0, -half, right, half))
	first := p.nearest(top)
	for k := range p.x[0] {
		points := make(plotter.XYs, 0, len(p.sigma)-first)
		for i := first; i < len(p.sigma); i++ {
			s := p.sigma[i]
			points = append(points, plotter.XY{X: a.time(s), Y: a.scale(s) * p.x[i][k]})
		}
		l, err := plotter.NewLine(points)
		if err != nil {
			return nil, fmt.Errorf("lab: toy: %w", err)
		}
		l.Color, l.Width = color.RGBA{0, 114, 178, 255}, 0.9
		out.Add(l)
		if k%2 == 0 {
			out.Add(slopes(points, right))
		}
	}
	out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = 0, right, -half, half
	return out, nil
}

// density returns a picture of p(x; sigma(t)) for t from 0 to right and x from
// half, at the top, to -half.
func (a axis) density(m *gmm.Mixture, right, half float64) (image.Image, error) {
	const width, height = 160, 120
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	x, log := make([]float64, height), make([]float64, height)
	for i := range width {
		sigma := a.sigma(right * (float64(i) + 0.5) / width)
		for j := range x {
			x[j] = half * (1 - (2*float64(j)+1)/height) / a.scale(sigma)
		}
		if err := m.LogDensity(log, x, sigma); err != nil {
			return nil, err
		}
		for j, shade := range relative(log) {
			img.Set(i, j, tint(shade))
		}
	}
	return img, nil
}

// relative turns log densities into densities with maximum 1, in place.
func relative(log []float64) []float64 {
	most := math.Inf(-1)
	for _, v := range log {
		most = max(most, v)
	}
	for j, v := range log {
		log[j] = math.Exp(v - most)
	}
	return log
}

// tint returns the background for a density from 0 to 1, in few levels so that
// files are small.
func tint(density float64) color.Color {
	const levels = 12
	v := math.Round(math.Sqrt(density)*levels) / levels
	fade := func(to float64) uint8 { return uint8(math.Round(255 + v*(to-255))) }
	return color.RGBA{fade(246), fade(196), fade(112), 255}
}

// slopes returns arrows along a solution, at even times.
func slopes(points plotter.XYs, right float64) arrows {
	const each = 7
	var out arrows
	next := 0
	for i := len(points) - 2; i > 0 && next < each; i-- { // time rises
		if points[i].X < right*(float64(next)+0.7)/each {
			continue
		}
		next++
		before, after := points[i+1], points[i-1]
		out = append(out, arrow{at: points[i], dx: before.X - after.X, dy: before.Y - after.Y})
	}
	return out
}
