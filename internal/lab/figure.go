package lab

import (
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"edm/internal/picture"
)

// Figure is rows of plots, all rows of one length.
type Figure struct {
	plots  [][]*plot.Plot
	legend *plot.Legend // of all plots, to their right; nil for none
	// In points. legendWidth is part of width.
	width, height, legendWidth vg.Length
}

// pixelsPerInch is the resolution of PNG files; a point is 1/72 inch.
const pixelsPerInch = 96

// WritePNG writes the figure as a PNG file, in 256 colours: few enough that a
// repository can hold it.
func (f *Figure) WritePNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(pixelsPerInch))
	f.draw(draw.New(c))
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(w, picture.Paletted(c.Image())); err != nil {
		return fmt.Errorf("lab: write the figure: %w", err)
	}
	return nil
}

// WriteSVG writes the figure as an SVG file.
func (f *Figure) WriteSVG(w io.Writer) error {
	c := vgsvg.New(f.width, f.height)
	f.draw(draw.New(c))
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("lab: write the figure: %w", err)
	}
	return nil
}

// margin is the room around and between plots.
const margin = 8

func (f *Figure) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Path())
	tiles := draw.Tiles{
		Rows: len(f.plots), Cols: len(f.plots[0]), PadX: 1.5 * margin, PadY: 1.5 * margin,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin,
	}
	area := draw.Crop(c, 0, -f.legendWidth, 0, 0)
	for j, row := range f.plots {
		for i, p := range row {
			p.Draw(tiles.At(area, i, j))
		}
	}
	if f.legend != nil {
		f.legend.Draw(draw.Crop(c, c.Max.X-c.Min.X-f.legendWidth, -margin, margin, -3*margin))
	}
}

// newPlot returns an empty plot in the style of all figures.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 4
	for _, s := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		sans(s, 9)
	}
	sans(&p.Title.TextStyle, 11)
	p.X.Padding, p.Y.Padding = 2, 2
	return p
}

func sans(s *text.Style, size vg.Length) {
	s.Font.Variant, s.Font.Size = "Sans", size
}

// newLegend returns an empty legend in that style.
func newLegend() *plot.Legend {
	l := plot.NewLegend()
	l.Top, l.Left = true, true
	l.ThumbnailWidth, l.Padding = 24, 2
	sans(&l.TextStyle, 9)
	return &l
}

// logAxis makes an axis logarithmic with ticks at powers of ten.
func logAxis(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	a.Tick.Marker = decades{}
}

// decades are the ticks of a logarithmic axis: 1 to 9 times the powers of ten,
// of which the powers have labels, and 2 and 5 too on a short axis.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) []plot.Tick {
	if !(low > 0 && high > low) {
		return nil
	}
	short := math.Log10(high/low) < 1.5
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for i := 1.0; i < 10; i++ {
			v := i * math.Pow(10, e)
			if v < low*(1-1e-9) || v > high*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if i == 1 || short && (i == 2 || i == 5) {
				t.Label = fmt.Sprintf("%.4g", v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}
