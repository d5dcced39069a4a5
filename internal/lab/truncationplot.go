package lab

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// TruncationPlot returns the figure of local errors by noise level, after EDM
// Fig. 13: Euler's and Heun's methods for several numbers of steps at one rho,
// and Heun's for several rho.
func TruncationPlot(bySteps, byRho []Truncation) (*Figure, error) {
	const x = "sigma at the start of the step"
	panels := []struct {
		title, solver string
		from          []Truncation
		name          func(Truncation) string
	}{
		{"Euler", "euler", bySteps, func(t Truncation) string { return fmt.Sprintf("%d steps", t.Steps) }},
		{"Heun", "heun", bySteps, func(t Truncation) string { return fmt.Sprintf("%d steps", t.Steps) }},
		{"Heun, by rho", "heun", byRho, func(t Truncation) string { return fmt.Sprintf("rho %g", t.Rho) }},
	}
	f := &Figure{width: 780, height: 290, plots: [][]*plot.Plot{nil}}
	for _, panel := range panels {
		p := newPlot(panel.title, x, "RMS error of one step")
		logAxis(&p.X)
		logAxis(&p.Y)
		p.Add(faintGrid())
		p.Legend.Top, p.Legend.Left = true, true
		n := 0
		for _, t := range panel.from {
			if points := t.points(); t.Solver == panel.solver && len(points) > 0 {
				if err := addLine(p, &p.Legend, panel.name(t), points, n); err != nil {
					return nil, err
				}
				n++
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("lab: %w: no errors of single steps", ErrNothing)
		}
		f.plots[0] = append(f.plots[0], p)
	}
	share(f.plots[0])
	return f, nil
}

// points returns the points above 0, which logarithmic axes can show.
func (t Truncation) points() plotter.XYs {
	var points plotter.XYs
	for i, v := range t.RMS {
		if v > 0 {
			points = append(points, plotter.XY{X: t.Sigma[i], Y: v})
		}
	}
	return points
}

// share gives plots the same axes, so that they can be compared.
func share(plots []*plot.Plot) {
	all := *plots[0]
	for _, p := range plots {
		all.X.Min, all.X.Max = min(all.X.Min, p.X.Min), max(all.X.Max, p.X.Max)
		all.Y.Min, all.Y.Max = min(all.Y.Min, p.Y.Min), max(all.Y.Max, p.Y.Max)
	}
	widen(&all.X)
	widen(&all.Y)
	all.Y.Max *= 10 // room for the legend
	for _, p := range plots {
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = all.X.Min, all.X.Max, all.Y.Min, all.Y.Max
	}
}
