package likelihood

import (
	"context"
	"fmt"
	"math"

	"edm/sample"
)

// flow integrates the ODE either way, and upwards the volume: the integral of
// the divergence, of each image by each probe.
type flow struct {
	den        sample.Denoiser
	derivative func(ctx context.Context, dst, grad, x []float64, sigma float64, cotangent []float64, labels []float32) error
	levels     levels

	ctx    context.Context
	dim    int
	labels []float32
	probes *probes   // nil: no volume
	volume []float64 // [N, columns of probes]
	nfe    int

	k, g        [4][]float64 // slopes of x and of the volume
	point, grad []float64
}

func newFlow(den sample.Denoiser, p Path) (flow, error) {
	l, err := newLevels(den, p)
	return flow{den: den, levels: l}, err
}

// begin sets the batch of one run.
func (f *flow) begin(ctx context.Context, dim int, labels []float32, p *probes) {
	f.ctx, f.dim, f.labels, f.probes, f.nfe = ctx, dim, labels, p, 0
}

// end lets go of the caller's memory.
func (f *flow) end() { f.ctx, f.labels, f.probes = nil, nil, nil }

// up takes x from the lowest to the highest level, down the other way.
func (f *flow) up(x []float64) error   { return f.integrate(x, false) }
func (f *flow) down(x []float64) error { return f.integrate(x, true) }

func (f *flow) integrate(x []float64, down bool) error {
	f.reserve(len(x))
	step, stride := f.heun, 1
	if f.levels.solver == RK4 {
		step, stride = f.rk4, 2
	}
	last := len(f.levels.sigmas) - 1
	for i := 0; i < last; i += stride {
		from, to := i, i+stride
		if down {
			from, to = last-i, last-i-stride
		}
		if err := step(x, from, to); err != nil {
			return err
		}
	}
	return nil
}

// heun takes x from level number from to level number to: the trapezoid rule in
// sigma for x, whose path is nearly straight in sigma, and in ln sigma for the
// volume, whose slope there goes from 0 to dim (the rule in sigma has three times
// the error).
func (f *flow) heun(x []float64, from, to int) error {
	a, b := f.levels.sigmas[from], f.levels.sigmas[to]
	first, second, ahead := f.k[0], f.k[1], f.point
	if err := f.slope(first, f.g[0], x, a); err != nil {
		return err
	}
	for j, v := range first {
		ahead[j] = x[j] + (b-a)/a*v
	}
	if err := f.slope(second, f.g[1], ahead, b); err != nil {
		return err
	}
	for j := range x {
		x[j] += (b - a) / 2 * (first[j]/a + second[j]/b)
	}
	for j := range f.volume {
		f.volume[j] += math.Log(b/a) / 2 * (f.g[0][j] + f.g[1][j])
	}
	return nil
}

// rk4 takes x from level number from over the middle to level number to, by the
// classical Runge-Kutta method in the variable in which the levels are even.
func (f *flow) rk4(x []float64, from, to int) error {
	middle := (from + to) / 2
	h := float64(to-from) / float64(len(f.levels.sigmas)-1)
	stages := [4]struct {
		at   int     // number of the level
		move float64 // along the slope before
	}{{from, 0}, {middle, h / 2}, {middle, h / 2}, {to, h}}
	weights := [4]float64{h / 6, h / 3, h / 3, h / 6}
	point := x
	for s, stage := range stages {
		if s > 0 {
			rate := f.levels.rates[stages[s-1].at]
			point = f.point
			for j, v := range f.k[s-1] {
				point[j] = x[j] + stage.move*rate*v
			}
		}
		if err := f.slope(f.k[s], f.g[s], point, f.levels.sigmas[stage.at]); err != nil {
			return err
		}
	}
	for s, stage := range stages {
		w := weights[s] * f.levels.rates[stage.at]
		for j, v := range f.k[s] {
			x[j] += w * v
		}
		for j, v := range f.g[s] {
			f.volume[j] += w * v
		}
	}
	return nil
}

// slope writes dx/d ln sigma = x - D to k and the divergence dim - tr J to g, one
// number for each column of each image.
func (f *flow) slope(k, g, x []float64, sigma float64) error {
	if err := f.evaluate(k, g, x, sigma); err != nil {
		return fmt.Errorf("at sigma %g: %w", sigma, err)
	}
	for j, d := range k {
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return fmt.Errorf("at sigma %g: the denoiser returned %g for number %d of image %d; check its weights and its precision",
				sigma, d, j%f.dim, j/f.dim)
		}
		k[j] = x[j] - d
	}
	for j, trace := range g {
		if math.IsNaN(trace) || math.IsInf(trace, 0) {
			return fmt.Errorf("at sigma %g: the denoiser's derivative is %g; check its weights and its precision", sigma, trace)
		}
		g[j] = float64(f.dim) - trace
	}
	return nil
}

// evaluate writes D to d and the traces to g.
func (f *flow) evaluate(d, g, x []float64, sigma float64) error {
	if f.probes == nil {
		f.nfe++
		return f.den.Denoise(f.ctx, d, x, sigma, f.labels)
	}
	clear(g)
	columns := len(g) / (len(x) / f.dim)
	for p := range f.probes.count {
		v, column := f.probes.vector(p)
		if err := f.derivative(f.ctx, d, f.grad, x, sigma, v, f.labels); err != nil {
			return err
		}
		f.nfe++
		for j, w := range f.grad {
			g[j/f.dim*columns+column] += v[j] * w
		}
	}
	return nil
}

// reserve makes the workspace fit n numbers and clears the volume.
func (f *flow) reserve(n int) {
	columns := 0
	if f.probes != nil {
		columns = n / f.dim * f.probes.columns
		grow(&f.grad, n)
	}
	for s := range f.k {
		grow(&f.k[s], n)
		grow(&f.g[s], columns)
	}
	grow(&f.point, n)
	clear(grow(&f.volume, columns))
}

// grow makes a slice n long, with arbitrary contents.
func grow(s *[]float64, n int) []float64 {
	if cap(*s) < n {
		*s = make([]float64, n)
	}
	*s = (*s)[:n]
	return *s
}
