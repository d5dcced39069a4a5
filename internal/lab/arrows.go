package lab

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// arrow is a direction at a point, in the units of the axes.
type arrow struct {
	at     plotter.XY
	dx, dy float64
}

// arrows implements plot.Plotter: they start at their points and have one
// length on paper, whatever the axes.
type arrows []arrow

const (
	shaft = vg.Length(13)
	barb  = vg.Length(3)
)

// Plot implements plot.Plotter.
func (a arrows) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: color.Black, Width: 0.7}
	for _, v := range a {
		from := vg.Point{X: x(v.at.X), Y: y(v.at.Y)}
		dx, dy := float64(x(v.at.X+v.dx)-from.X), float64(y(v.at.Y+v.dy)-from.Y)
		length := math.Hypot(dx, dy)
		if length == 0 || math.IsNaN(length) || !c.Contains(from) {
			continue
		}
		to := offset(from, dx/length, dy/length, shaft)
		lines := [][]vg.Point{{from, to}}
		for _, turn := range []float64{math.Pi - 0.45, math.Pi + 0.45} {
			sin, cos := math.Sincos(math.Atan2(dy, dx) + turn)
			lines = append(lines, []vg.Point{to, offset(to, cos, sin, barb)})
		}
		c.StrokeLines(style, c.ClipLinesXY(lines...)...)
	}
}

func offset(p vg.Point, dx, dy float64, by vg.Length) vg.Point {
	return vg.Point{X: p.X + vg.Length(dx)*by, Y: p.Y + vg.Length(dy)*by}
}
