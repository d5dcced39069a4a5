package lab

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ErrNothing is returned where there is nothing to plot.
var ErrNothing = errors.New("nothing to plot")

// ErrorPlot returns the figure of error against network evaluations, both
// logarithmic, one line a sampler. Stochastic samplers are left out; ErrNothing
// says that no other was tried.
func (c *Comparison) ErrorPlot() (*Figure, error) {
	p := newPlot("Error against a solution of many steps", "network evaluations an image", "RMS error of the images")
	logAxis(&p.X)
	logAxis(&p.Y)
	p.Add(faintGrid())
	legend := newLegend()
	lines := c.lines()
	longest := 0
	for i, l := range lines {
		if err := addLine(p, legend, l.name, l.points, i); err != nil {
			return nil, err
		}
		longest = max(longest, len(l.name))
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("lab: %w: no sampler of the comparison solves the ODE", ErrNothing)
	}
	widen(&p.Y)
	p.X.Tick.Marker = powersOf2{}
	widen(&p.X)
	legendWidth := 40 + 4.4*vg.Length(longest)
	return &Figure{
		plots: [][]*plot.Plot{{p}}, legend: legend,
		width: 380 + legendWidth, height: max(300, vg.Length(40+13*len(lines))), legendWidth: legendWidth,
	}, nil
}

// line is one sampler's errors.
type line struct {
	name   string
	points plotter.XYs
}

// lines returns the points above 0, which logarithmic axes can show.
func (c *Comparison) lines() []line {
	var lines []line
	for _, t := range c.Trials {
		if t.Note != "" || !(t.RMS > 0) || t.NFE < 1 {
			continue
		}
		i := slices.IndexFunc(lines, func(l line) bool { return l.name == t.Entry })
		if i < 0 {
			i = len(lines)
			lines = append(lines, line{name: t.Entry})
		}
		lines[i].points = append(lines[i].points, plotter.XY{X: float64(t.NFE), Y: t.RMS})
	}
	for _, l := range lines {
		slices.SortStableFunc(l.points, func(a, b plotter.XY) int { return int(a.X) - int(b.X) })
	}
	return lines
}

// addLine draws points in style number i and names them in the legend.
func addLine(p *plot.Plot, legend *plot.Legend, name string, points plotter.XYs, i int) error {
	l, s, err := plotter.NewLinePoints(points)
	if err != nil {
		return fmt.Errorf("lab: plot %s: %w", name, err)
	}
	l.Color, l.Width, l.Dashes = hue(i), 1.2, plotutil.Dashes(i/len(hues()))
	s.Color, s.Shape, s.Radius = l.Color, plotutil.Shape(i), 2.5
	p.Add(l, s)
	legend.Add(name, l, s)
	return nil
}

// hues are colours that people with any colour vision tell apart (Okabe & Ito
// 2008).
func hues() []color.Color {
	return []color.Color{
		color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
		color.RGBA{204, 121, 167, 255}, color.RGBA{230, 159, 0, 255}, color.RGBA{86, 180, 233, 255},
		color.RGBA{0, 0, 0, 255},
	}
}

func hue(i int) color.Color { return hues()[i%len(hues())] }

func faintGrid() *plotter.Grid {
	g := plotter.NewGrid()
	faint := draw.LineStyle{Color: color.Gray{225}, Width: 0.5}
	g.Vertical, g.Horizontal = faint, faint
	return g
}

// widen moves the ends of a logarithmic axis outwards: no point lies on the
// frame, and a single value still has an axis.
func widen(a *plot.Axis) {
	a.Min, a.Max = a.Min/1.25, a.Max*1.25
}

// powersOf2 are the ticks of an axis of budgets.
type powersOf2 struct{}

// Ticks implements plot.Ticker.
func (powersOf2) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for v := math.Exp2(math.Ceil(math.Log2(low))); v <= high; v *= 2 {
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	return ticks
}
