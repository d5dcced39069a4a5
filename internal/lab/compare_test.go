package lab

import (
	"bytes"
	"context"
	"encoding/csv"
	"image"
	"image/png"
	"math"
	"strings"
	"testing"

	"edm/internal/gmm"
	"edm/internal/picture"
	"edm/sample"
)

func mixture(t *testing.T) *gmm.Mixture {
	t.Helper()
	m, err := gmm.New([]float64{0.5, -0.5, 0.2, 0.3, -0.6, 0.1, 0.4, -0.2, -0.1, 0.7, -0.4, 0}, 4, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func problem(t *testing.T) Problem {
	return Problem{Denoiser: mixture(t), Dim: 4, Seeds: []uint64{0, 1, 2, 3, 4}}
}

func entry(t *testing.T, solver string, set ...func(*sample.Settings)) Entry {
	t.Helper()
	o, err := sample.SettingsFor(solver)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set {
		f(&o)
	}
	return Entry{Name: solver, Options: o}
}

func compare(t *testing.T, o CompareOptions, entries ...Entry) *Comparison {
	t.Helper()
	c, err := Compare(context.Background(), problem(t), entries, o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The error of Euler's method falls with the first power of the budget and that
// of Heun's with the second; the reference is better than its trials and says by
// how much.
func TestCompareOrders(t *testing.T) {
	o := CompareOptions{Budgets: []int{65, 129}, Tolerances: []float64{1e-3}, ReferenceSteps: 1000}
	c := compare(t, o, entry(t, "euler"), entry(t, "heun"))
	for i, want := range []float64{1, 2} {
		coarse, fine := c.Trials[2*i], c.Trials[2*i+1]
		ratio := math.Log(coarse.RMS/fine.RMS) / math.Log(float64(fine.Steps)/float64(coarse.Steps))
		if math.Abs(ratio-want) > 0.25 {
			t.Errorf("%s: order %.2f, want %v", coarse.Entry, ratio, want)
		}
	}
	if len(c.References) != 1 {
		t.Fatalf("%d references, want 1 for one range of noise levels", len(c.References))
	}
	r := c.References[0]
	if best := c.Trials[3].RMS; !(r.Accuracy > 0 && r.Accuracy < best/20) {
		t.Errorf("the reference is good to %g, the best trial to %g", r.Accuracy, best)
	}
	if r.Steps != 1000 || r.NFE != 1999 {
		t.Errorf("reference of %d steps and %d evaluations", r.Steps, r.NFE)
	}
}

// What the reference says of its own accuracy is its distance to a solution that
// is far more exact.
func TestReferenceAccuracy(t *testing.T) {
	p, ctx := problem(t), context.Background()
	levels := span{80, 0.002}
	r, err := p.solve(ctx, levels, 64, nil)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := p.solve(ctx, levels, 4096, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := rms(r.Images, exact.Images); math.Abs(r.Accuracy/got-1) > 0.3 {
		t.Errorf("accuracy %.3g, it is %.3g", r.Accuracy, got)
	}
}

// Both tolerances of an adaptive solver move together, to the relative one asked
// for.
func TestTolerancesKeepTheirRatio(t *testing.T) {
	e := entry(t, "adaptive-sde")
	trials, err := plan(mixture(t), e, CompareOptions{Tolerances: []float64{0.1, 0.001}})
	if err != nil || len(trials) != 2 {
		t.Fatal(trials, err)
	}
	for i, want := range []float64{0.1, 0.001} {
		o := trials[i].options
		if o.RTol != want || math.Abs(o.ATol/o.RTol/(e.Options.ATol/e.Options.RTol)-1) > 1e-12 {
			t.Errorf("rtol %g and atol %g for tolerance %g", o.RTol, o.ATol, want)
		}
	}
}

// A trial spends at most its budget; one too small is noted with what the solver
// needs; a stochastic trial has no error but moments; each range of noise levels
// has a reference of its own.
func TestCompareTrials(t *testing.T) {
	churn := entry(t, "heun", func(o *sample.Settings) { o.SChurn = 10 })
	churn.Name = "churned"
	vp := entry(t, "euler", func(o *sample.Settings) { _ = o.SetDisc("vp") })
	vp.Name = "vp"
	two := entry(t, "heun")
	two.Options.Scaling, two.Options.Schedule = "vp", "vp"
	o := CompareOptions{Budgets: []int{1, 40}, Tolerances: []float64{1e-3}, ReferenceSteps: 100}
	c := compare(t, o, entry(t, "rk4"), churn, vp, two)
	if len(c.Trials) != 8 || len(c.References) != 2 {
		t.Fatalf("%d trials and %d references, want 8 and 2", len(c.Trials), len(c.References))
	}
	for _, trial := range c.Trials {
		if trial.Note == "" && (trial.NFE > trial.Budget || trial.Steps < 1 || len(trial.Images) != 20) {
			t.Errorf("%s at %d: %+v", trial.Entry, trial.Budget, trial)
		}
	}
	if s := c.Trials[3]; !s.Stochastic || !math.IsNaN(s.RMS) || !(s.Std > 0.2 && s.Std < 0.8) {
		t.Errorf("stochastic trial: RMS %v, std %v", s.RMS, s.Std)
	}
	if r, ok := c.Reference(c.Trials[5]); !ok || math.Abs(r.SigmaMax-152.167) > 1e-3 {
		t.Errorf("VP's reference starts at %v", r.SigmaMax)
	}
	if trial := c.Trials[7]; trial.NFE != 39 || !(trial.RMS < 0.5) {
		t.Errorf("heun with VP's schedule: %+v", trial)
	}
}

// Budgets count all networks of a guided denoiser.
func TestCompareCounts(t *testing.T) {
	d := &double{Mixture: mixture(t)}
	p := problem(t)
	p.Denoiser = d
	o := CompareOptions{Budgets: []int{5, 40}, Tolerances: []float64{1}, ReferenceSteps: 10}
	c, err := Compare(context.Background(), p, []Entry{entry(t, "heun")}, o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{5, 40} { // below sigma 1 a call costs two
		trial := c.Trials[i]
		if trial.NFE > trial.Budget || (i == 0 && trial.NFE != want) {
			t.Errorf("budget %d: %d evaluations in %d steps", trial.Budget, trial.NFE, trial.Steps)
		}
		planned := trial
		e := entry(t, "heun").Options
		e.NumSteps = planned.Steps
		if n, err := Evaluations(d, e); err != nil || n != trial.NFE {
			t.Errorf("%d evaluations foretold, %d made (%v)", n, trial.NFE, err)
		}
		e.NumSteps++
		if n, err := Evaluations(d, e); err != nil || n <= trial.Budget {
			t.Errorf("%d steps would cost %d, within the budget of %d (%v)", e.NumSteps, n, trial.Budget, err)
		}
	}
}

// double is a denoiser that evaluates two networks below sigma 1.
type double struct {
	*gmm.Mixture
	evaluations int
}

func (d *double) Cost(sigma float64) int {
	if sigma < 1 {
		return 2
	}
	return 1
}

func (d *double) Evaluations() int { return d.evaluations }

func (d *double) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	d.evaluations += d.Cost(sigma)
	return d.Mixture.Denoise(ctx, dst, x, sigma, labels)
}

func TestCompareFaults(t *testing.T) {
	good := DefaultCompareOptions()
	for want, f := range map[string]func(*Problem, *CompareOptions){
		"no denoiser":      func(p *Problem, _ *CompareOptions) { p.Denoiser = nil },
		"no seeds":         func(p *Problem, _ *CompareOptions) { p.Seeds = nil },
		"images of 0":      func(p *Problem, _ *CompareOptions) { p.Dim = 0 },
		"budget is 0":      func(_ *Problem, o *CompareOptions) { o.Budgets = []int{0} },
		"tolerance is 0":   func(_ *Problem, o *CompareOptions) { o.Tolerances = []float64{0} },
		"no budgets":       func(_ *Problem, o *CompareOptions) { o.Budgets = nil },
		"reference of 1 s": func(_ *Problem, o *CompareOptions) { o.ReferenceSteps = 1 },
	} {
		p, o := problem(t), good
		f(&p, &o)
		if _, err := Compare(context.Background(), p, nil, o, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Compare(ctx, problem(t), []Entry{entry(t, "euler")}, good, nil, nil); err == nil {
		t.Error("a cancelled comparison has no error")
	}
}

// Table, sheet and plot hold every trial and can be read back.
func TestCompareOutputs(t *testing.T) {
	churn := entry(t, "heun", func(o *sample.Settings) { o.SChurn = 10 })
	churn.Name = "heun:S_churn=10"
	o := CompareOptions{Budgets: []int{8, 16, 33}, Tolerances: []float64{1e-2}, ReferenceSteps: 100}
	c := compare(t, o, entry(t, "euler"), entry(t, "heun"), churn)
	var table bytes.Buffer
	if err := c.WriteCSV(&table); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != 1+1+9 {
		t.Fatalf("%d rows in the table, want 11 (%v)", len(rows), err)
	}
	if rows[2][0] != "euler" || rows[2][1] != "8" || rows[2][3] != "8" || rows[8][4] != "" || !strings.Contains(rows[8][8], "stochastic") {
		t.Errorf("rows %q and %q", rows[2], rows[8])
	}
	if err := c.WriteMarkdown(&table); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(table.String()), "\n"); len(lines) != 12 || len(lines[0]) != len(lines[11]) {
		t.Errorf("markdown table:\n%s", table.String())
	}

	sheet, err := c.Sheet(2, func(x []float64) (image.Image, error) { return picture.Image(x, 1, 2, 2) })
	if err != nil {
		t.Fatal(err)
	}
	if size := sheet.Bounds().Size(); size.X < 3*2*64 || size.Y < 4*64 {
		t.Errorf("sheet of %v", size)
	}
	f, err := c.ErrorPlot()
	if err != nil {
		t.Fatal(err)
	}
	svg := checkFigure(t, "error", f)
	if !strings.Contains(svg, ">euler<") || !strings.Contains(svg, ">heun<") || strings.Contains(svg, "churn") {
		t.Error("the legend is not that of the two ODE solvers")
	}
	c.Trials = c.Trials[6:]
	if _, err := c.ErrorPlot(); err == nil {
		t.Error("a plot of stochastic solvers alone has no error")
	}
}

// checkFigure decodes a figure and returns its SVG.
func checkFigure(t *testing.T, name string, f *Figure) string {
	t.Helper()
	var file, svg bytes.Buffer
	if err := f.WritePNG(&file); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if inked(img) < 500 {
		t.Errorf("%s: %d pixels of ink", name, inked(img))
	}
	return svg.String()
}

// inked returns the number of dark pixels.
func inked(img image.Image) int {
	n := 0
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, bl, _ := img.At(x, y).RGBA(); r+g+bl < 3*0x8000 {
				n++
			}
		}
	}
	return n
}
