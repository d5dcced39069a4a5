package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panel is one plot of a figure.
type panel struct {
	x, y  string // axes
	log   bool   // both are logarithmic
	lines []line
}

// line is one measured curve.
type line struct {
	name   string
	dashed bool // a bound
	points plotter.XYs
}

func (l *line) add(x, y float64) { l.points = append(l.points, plotter.XY{X: x, Y: y}) }

// The size of a panel and the room around it, in points.
const (
	panelWidth, panelHeight = 330, 240
	margin                  = 10
)

// writeSVG writes panels beside each other.
func writeSVG(w io.Writer, panels []panel) error {
	c := vgsvg.New(vg.Length(panelWidth*len(panels)), panelHeight)
	dc := draw.New(c)
	dc.SetColor(color.White)
	dc.Fill(dc.Path())
	tiles := draw.Tiles{
		Rows: 1, Cols: len(panels), PadX: 2 * margin,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin,
	}
	for i, p := range panels {
		drawn, err := p.plot()
		if err != nil {
			return fmt.Errorf("plot %s: %w", p.y, err)
		}
		drawn.Draw(tiles.At(dc, i, 0))
	}
	_, err := c.WriteTo(w)
	return err
}

// plot returns the panel with one colour and mark for each line.
func (p panel) plot() (*plot.Plot, error) {
	out := plot.New()
	out.X.Label.Text, out.Y.Label.Text = p.x, p.y
	for _, s := range []*text.Style{
		&out.X.Label.TextStyle, &out.Y.Label.TextStyle, &out.X.Tick.Label, &out.Y.Tick.Label, &out.Legend.TextStyle,
	} {
		s.Font.Variant, s.Font.Size = "Sans", 9
	}
	out.Add(grid())
	for i, l := range p.lines {
		shown, marks, err := plotter.NewLinePoints(l.points)
		if err != nil {
			return nil, err
		}
		shown.Color, shown.Width = hue(i), 1.4
		if l.dashed {
			shown.Color, shown.Dashes = color.Black, plotutil.Dashes(1)
		}
		marks.Color, marks.Shape, marks.Radius = shown.Color, plotutil.Shape(i), 2.5
		out.Add(shown, marks)
		out.Legend.Add(l.name, shown, marks)
	}
	out.Legend.Top, out.Legend.ThumbnailWidth, out.Legend.Padding = true, 24, 2
	if p.log {
		logarithmic(&out.X, 1.15)
		logarithmic(&out.Y, 1.25)
		out.Y.Max *= 2 // room for the legend
	}
	return out, nil
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical = draw.LineStyle{Color: color.Gray{225}, Width: 0.5}
	g.Horizontal = g.Vertical
	return g
}

// hue returns one of the colours that people with any colour vision tell apart
// (Okabe & Ito 2008).
func hue(i int) color.Color {
	all := []color.Color{color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255}, color.RGBA{204, 121, 167, 255}}
	return all[i%len(all)]
}

// logarithmic makes an axis logarithmic and moves its ends outwards, so that no
// point lies on the frame and a single value still has an axis.
func logarithmic(a *plot.Axis, room float64) {
	a.Scale, a.Tick.Marker = plot.LogScale{}, ticks{}
	a.Min, a.Max = a.Min/room, a.Max*room
}

// ticks are those of a logarithmic axis: powers of two on a short one, else 1, 2
// and 5 times powers of ten.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	if !(low > 0 && high > low) {
		return nil
	}
	var all []plot.Tick
	add := func(v float64) {
		if v >= low && v <= high {
			all = append(all, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
		}
	}
	if high/low < 200 && low > 0.5 {
		for e := math.Floor(math.Log2(low)); e <= math.Log2(high); e++ {
			add(math.Exp2(e))
		}
		return all
	}
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, k := range []float64{1, 2, 5} {
			if e < 0 {
				add(k / math.Pow(10, -e)) // rounded once: 0.2 and not 0.20000000000000001
			} else {
				add(k * math.Pow(10, e))
			}
		}
	}
	return all
}
