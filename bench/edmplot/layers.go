package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"edm/internal/benchmark"
	"edm/internal/cpu"
	"edm/internal/markdown"
	"edm/model"
)

// profiled is a named network and the images of its steps.
type profiled struct {
	name   string
	config benchmark.Config
}

// profile times the operations of a training step.
func (p profiled) profile(ctx context.Context, o options, shapes bool) (rows []benchmark.Row, total benchmark.Row, err error) {
	if err := ctx.Err(); err != nil {
		return nil, total, err
	}
	device, err := model.OpenCPU(0)
	if err != nil {
		return nil, total, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	w, err := benchmark.New(p.config, device)
	if err != nil {
		return nil, total, err
	}
	made, err := w.Profile(benchmark.Training, o.steps, shapes)
	if err != nil {
		return nil, total, err
	}
	rows, total = made.Rows()
	return rows, total, nil
}

// optimiser is the name of the step's last part in a profile.
const optimiser = "Adam and EMA"

// layerOf returns the layer that a kind of operation belongs to, forward and
// backward; one that is not known is a layer of its own.
func layerOf(kind string) string {
	for _, l := range []struct{ layer, prefixes string }{
		{"3x3 convolution", "Conv2D 3x3,Conv2DData 3x3,Conv2DWeights 3x3"},
		{"1x1 convolution", "Conv2D 1x1,Conv2DData 1x1,Conv2DWeights 1x1"},
		{"group norm with SiLU", "GN,Modulate,SiLU"},
		{"attention", "Attn"},
		{"linear layers", "Linear,Positional,Fourier"},
		{"gradients of biases", "SumHW,SumN"},
		{"dropout", "Dropout"},
		{"changes of size", "Up,Down,Pad,Crop"},
		{"skip connections", "Concat,Narrow,Widen"},
		{"sums and scales", "Add,Scale"},
		{"preconditioning and loss", "Combine,SampleScale,SquaredError"},
	} {
		for prefix := range strings.SplitSeq(l.prefixes, ",") {
			if strings.HasPrefix(kind, prefix) && kind != optimiser {
				return l.layer
			}
		}
	}
	return kind
}

// layer is the time of the operations of one layer in a step.
type layer struct {
	name   string
	kinds  []string
	shares []float64 // of each network's step
}

// layers adds up the operations of each layer; one network a column, the largest
// share of all columns first.
func layers(columns [][]benchmark.Row, totals []benchmark.Row) []layer {
	byName := map[string]*layer{}
	for i, rows := range columns {
		for _, r := range rows {
			name := layerOf(r.Name)
			l := byName[name]
			if l == nil {
				l = &layer{name: name, shares: make([]float64, len(columns))}
				byName[name] = l
			}
			l.shares[i] += r.Time.Seconds() / totals[i].Time.Seconds()
			if !slices.Contains(l.kinds, r.Name) {
				l.kinds = append(l.kinds, r.Name)
			}
		}
	}
	var all []layer
	for _, l := range byName {
		slices.Sort(l.kinds)
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b layer) int {
		return cmp.Or(cmp.Compare(slices.Max(b.shares), slices.Max(a.shares)), cmp.Compare(a.name, b.name))
	})
	return all
}

// layerTable profiles training steps of networks and returns the layers' shares.
func layerTable(ctx context.Context, networks []profiled, o options) (content, error) {
	head := []string{"layer", "operations"}
	last := []string{"all, ms", ""}
	var columns [][]benchmark.Row
	var totals []benchmark.Row
	for _, p := range networks {
		rows, total, err := p.profile(ctx, o, false)
		if err != nil {
			return content{}, fmt.Errorf("%s: %w", p.name, err)
		}
		columns, totals = append(columns, rows), append(totals, total)
		head = append(head, fmt.Sprintf("%s, %d", p.name, p.config.Batch))
		last = append(last, fmt.Sprintf("%.0f", float64(total.Time)/float64(time.Millisecond)))
	}
	all := layers(columns, totals)
	rows := [][]string{head}
	for _, l := range all {
		row := []string{l.name, strings.Join(l.kinds, ", ")}
		for _, share := range l.shares {
			row = append(row, fmt.Sprintf("%.1f %%", 100*share))
		}
		rows = append(rows, row)
	}
	return content{table: markdown.Table(append(rows, last)) + "\n" + largest(all, networks)}, nil
}

// largest says which layer other than a convolution takes most.
func largest(all []layer, networks []profiled) string {
	top, share, network := "none", 0.0, ""
	for _, l := range all {
		for i, v := range l.shares {
			if v > share && !strings.HasSuffix(l.name, "convolution") {
				top, share, network = l.name, v, networks[i].name
			}
		}
	}
	return fmt.Sprintf("The layer that takes most after convolutions: %s, %.1f %% of a step of %s.\n", top, 100*share, network)
}

// slowest is the number of rows of shapeTable.
const slowest = 12

// shapeTable returns the slowest operations of a training step by their shapes,
// with their share of the peak.
func shapeTable(ctx context.Context, p profiled, o options) (content, error) {
	peak := cpu.PeakFMA(runtime.GOMAXPROCS(0))
	all, total, err := p.profile(ctx, o, true)
	if err != nil {
		return content{}, err
	}
	rows := [][]string{{fmt.Sprintf("operation of %s, batch %d", p.name, p.config.Batch), "calls", "share of the step", "GFLOP/s", "share of FMA peak"}}
	for _, r := range all[:min(slowest, len(all))] {
		rate, share := "", ""
		if r.Flops > 0 {
			rate, share = fmt.Sprintf("%.0f", r.Flops/r.Time.Seconds()/1e9), percent(r.Flops/r.Time.Seconds()/peak)
		}
		rows = append(rows, []string{r.Name, fmt.Sprint(r.Calls), fmt.Sprintf("%.1f %%", 100*r.Time.Seconds()/total.Time.Seconds()), rate, share})
	}
	return content{table: markdown.Table(rows)}, nil
}
