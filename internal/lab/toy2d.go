package lab

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"edm/internal/gmm"
	"edm/sample"
)

// toyHalf is half the side of the square that Toy2D shows.
const toyHalf = 2.6

// Toy2D returns the figure of the ODE's flow for data in the plane, five
// Gaussians on a circle: at three noise levels the density of the noisy data
// behind the directions in which noise falls, and images of one set of latents
// with the way that they came since the panel before.
func Toy2D(ctx context.Context) (*Figure, error) {
	const points, sigmaMax = 60, 80
	m, err := ring(5, 0.12)
	if err != nil {
		return nil, err
	}
	seeds := make([]uint64, points)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	latents := make([]float64, 2*points)
	if err := sample.Latents(latents, seeds, 2); err != nil {
		return nil, err
	}
	p, err := solvePath(ctx, m, latents, sigmaMax)
	if err != nil {
		return nil, err
	}
	f := &Figure{width: 760, height: 278, plots: [][]*plot.Plot{nil}}
	since := p.nearest(2)
	for _, sigma := range []float64{1, 0.4, 0.05} {
		at := p.nearest(sigma)
		panel, err := flow(ctx, m, p, since, at)
		if err != nil {
			return nil, err
		}
		f.plots[0], since = append(f.plots[0], panel), at
	}
	return f, nil
}

// ring returns a mixture of centres on the unit circle.
func ring(centres int, s0 float64) (*gmm.Mixture, error) {
	means := make([]float64, 0, 2*centres)
	for k := range centres {
		sin, cos := math.Sincos(2*math.Pi*float64(k)/float64(centres) + math.Pi/2)
		means = append(means, cos, sin)
	}
	return gmm.New(means, 2, s0)
}

// flow draws the panel of noise level number at, with the paths since number
// since.
func flow(ctx context.Context, m *gmm.Mixture, p path, since, at int) (*plot.Plot, error) {
	sigma := p.sigma[at]
	out := newPlot(fmt.Sprintf("sigma %.2g", sigma), "", "")
	background, err := plane(m, sigma)
	if err != nil {
		return nil, err
	}
	field, err := descent(ctx, m, sigma)
	if err != nil {
		return nil, err
	}
	out.Add(plotter.NewImage(background, -toyHalf, -toyHalf, toyHalf, toyHalf), field)
	ends := make(plotter.XYs, len(p.x[0])/2)
	for k := range ends {
		trail := make(plotter.XYs, 0, at-since+1)
		for i := since; i <= at; i++ {
			trail = append(trail, plotter.XY{X: p.x[i][2*k], Y: p.x[i][2*k+1]})
		}
		l, err := plotter.NewLine(trail)
		if err != nil {
			return nil, fmt.Errorf("lab: toy: %w", err)
		}
		l.Color, l.Width = color.RGBA{0, 114, 178, 255}, 0.6
		out.Add(l)
		ends[k] = trail[len(trail)-1]
	}
	dots, err := plotter.NewScatter(ends)
	if err != nil {
		return nil, fmt.Errorf("lab: toy: %w", err)
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: color.RGBA{0, 74, 118, 255}, Radius: 1.6, Shape: draw.CircleGlyph{}}
	out.Add(dots)
	out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = -toyHalf, toyHalf, -toyHalf, toyHalf
	return out, nil
}

// plane returns a picture of p(x; sigma) over the square.
func plane(m *gmm.Mixture, sigma float64) (image.Image, error) {
	const side = 130
	x, log := make([]float64, 2*side*side), make([]float64, side*side)
	for k := range log {
		x[2*k] = toyHalf * ((2*float64(k%side)+1)/side - 1)
		x[2*k+1] = toyHalf * (1 - (2*float64(k/side)+1)/side)
	}
	if err := m.LogDensity(log, x, sigma); err != nil {
		return nil, err
	}
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for k, shade := range relative(log) {
		img.Set(k%side, k/side, tint(shade))
	}
	return img, nil
}

// descent returns arrows towards D(x; sigma), -dx/dsigma up to a factor, on a
// lattice.
func descent(ctx context.Context, m *gmm.Mixture, sigma float64) (arrows, error) {
	const side = 9
	x := make([]float64, 0, 2*side*side)
	for k := range side * side {
		x = append(x, toyHalf*((2*float64(k%side)+1)/side-1), toyHalf*((2*float64(k/side)+1)/side-1))
	}
	d := make([]float64, len(x))
	if err := m.Denoise(ctx, d, x, sigma, nil); err != nil {
		return nil, err
	}
	out := make(arrows, side*side)
	for k := range out {
		out[k] = arrow{at: plotter.XY{X: x[2*k], Y: x[2*k+1]}, dx: d[2*k] - x[2*k], dy: d[2*k+1] - x[2*k+1]}
	}
	return out, nil
}
