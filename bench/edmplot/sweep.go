package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"edm/internal/benchmark"
	"edm/internal/markdown"
	"edm/model"
)

// sweep measures networks that differ in one respect.
type sweep struct {
	name, axis string
	points     []point
	speedup    bool // the table compares with the first point
	plain      bool // no figure: the points have no order on an axis
}

// point is one network of a sweep.
type point struct {
	x       float64
	label   string
	config  benchmark.Config
	threads int // 0 for all
}

func (s *sweep) add(x float64, label string, c benchmark.Config) {
	s.points = append(s.points, point{x: x, label: label, config: c})
}

// measure times every point.
func (s sweep) measure(ctx context.Context, o options) (content, error) {
	var results []benchmark.Result
	for _, p := range s.points {
		r, err := p.measure(ctx, o)
		if err != nil {
			return content{}, fmt.Errorf("%s: %w", p.label, err)
		}
		results = append(results, r)
	}
	made := content{table: s.table(results)}
	if !s.plain {
		made.plots, made.alt = s.plots(results), fmt.Sprintf("Time of an image and rate of work against %s", s.axis)
	}
	return made, nil
}

func (p point) measure(ctx context.Context, o options) (r benchmark.Result, err error) {
	if p.threads > 0 {
		// The collector's own work stays on the threads that are measured.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(p.threads))
	}
	device, err := model.OpenCPU(p.threads)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	return benchmark.Measure(ctx, p.config, device, o.Options)
}

// table returns the results as Markdown.
func (s sweep) table(results []benchmark.Result) string {
	first := s.axis
	if s.plain {
		first = "kept for the gradients"
	}
	head := []string{first, "train, img/s", "GFLOP/s", "share of peak", "forward, img/s", "GFLOP/s", "share of peak", "memory of a training step, MiB"}
	if s.speedup {
		head = append(head, "times the first, train / forward / peak")
	}
	rows := [][]string{head}
	for i, r := range results {
		row := []string{s.points[i].label}
		for _, v := range []benchmark.Speed{r.Train, r.Forward} {
			row = append(row, digits(v.ImgPerS), fmt.Sprintf("%.0f", v.GFLOPS), percent(v.Share))
		}
		row = append(row, fmt.Sprintf("%.0f", float64(r.Train.ArenaBytes)/(1<<20)))
		if s.speedup {
			one := results[0]
			row = append(row, fmt.Sprintf("%.2f / %.2f / %.2f",
				r.Train.ImgPerS/one.Train.ImgPerS, r.Forward.ImgPerS/one.Forward.ImgPerS, r.FMAPeak/one.FMAPeak))
		}
		rows = append(rows, row)
	}
	return markdown.Table(rows)
}

// plots returns the time of an image and the rate of work.
func (s sweep) plots(results []benchmark.Result) []panel {
	cost := panel{x: s.axis, y: "ms an image", log: true}
	rate := panel{x: s.axis, y: "GFLOP/s", log: true}
	for _, mode := range []struct {
		name string
		of   func(benchmark.Result) benchmark.Speed
	}{
		{"training step", func(r benchmark.Result) benchmark.Speed { return r.Train }},
		{"evaluation", func(r benchmark.Result) benchmark.Speed { return r.Forward }},
	} {
		ms, gflops := line{name: mode.name}, line{name: mode.name}
		for i, r := range results {
			v := mode.of(r)
			ms.add(s.points[i].x, 1e3/v.ImgPerS)
			gflops.add(s.points[i].x, v.GFLOPS)
		}
		cost.lines, rate.lines = append(cost.lines, ms), append(rate.lines, gflops)
	}
	peak := line{name: "FMA peak", dashed: true}
	for i, r := range results {
		peak.add(s.points[i].x, r.FMAPeak)
	}
	rate.lines = append(rate.lines, peak)
	return []panel{cost, rate}
}

// digits returns a rate with three digits, or all before the point.
func digits(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
