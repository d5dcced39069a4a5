package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"text/tabwriter"
	"time"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/loss"
)

// row is the cost of one kind of operation in one step of the workload.
type row struct {
	name  string
	calls int
	time  time.Duration
	flops float64
}

// table collects rows by name.
type table struct {
	rows map[string]*row
	by   string
}

func (t *table) add(name string, d time.Duration, flops float64) {
	r := t.rows[name]
	if r == nil {
		r = &row{name: name}
		t.rows[name] = r
	}
	r.calls++
	r.time += d
	r.flops += flops
}

// report adds one step of a program.
func (t *table) report(s *engine.Step, d time.Duration) {
	t.add(label(s, t.by == "shape"), d, op.Flops(s.Spec, s.In, s.Out))
}

// label names a step: its kind of operation and, if asked for, its shapes.
func label(s *engine.Step, shapes bool) string {
	name := reflect.TypeOf(s.Spec).Name()
	switch v := s.Spec.(type) {
	case op.Conv2D:
		name = fmt.Sprintf("%s %dx%d", name, v.Kernel, v.Kernel)
	case op.Conv2DData:
		name = fmt.Sprintf("%s %dx%d", name, v.Kernel, v.Kernel)
	case op.Conv2DWeights:
		name = fmt.Sprintf("%s %dx%d", name, v.Kernel, v.Kernel)
	}
	if !shapes {
		return name
	}
	for _, in := range s.In[:min(2, len(s.In))] {
		name += " " + dims(in)
	}
	return name + " -> " + dims(s.Out)
}

func dims(s tensor.Shape) string { return fmt.Sprint([]int(s)) }

// print writes the rows by falling time, averaged over steps.
func (t *table) print(out io.Writer, title string, steps, images int) {
	var total row
	rows := slices.SortedFunc(maps.Values(t.rows), func(a, b *row) int {
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(a.name, b.name))
	})
	for _, r := range rows {
		total.calls += r.calls
		total.time += r.time
		total.flops += r.flops
	}
	total.name = "total"
	perStep := total.time / time.Duration(steps)
	fmt.Fprintf(out, "%s: %.1f ms a step, %.2f img/s, %d steps\n", title, milliseconds(perStep),
		float64(images*steps)/total.time.Seconds(), steps)
	tab := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "calls\tms\tshare %\tGFLOP\tGFLOP/s\t  operation")
	for _, r := range append(rows, &total) {
		rate := "-\t-"
		if r.flops > 0 {
			rate = fmt.Sprintf("%.2f\t%.1f", r.flops/float64(steps)/1e9, r.flops/r.time.Seconds()/1e9)
		}
		fmt.Fprintf(tab, "%d\t%.2f\t%.1f\t%s\t  %s\n", r.calls/steps, milliseconds(r.time)/float64(steps),
			100*r.time.Seconds()/total.time.Seconds(), rate, r.name)
	}
	tab.Flush()
}

func milliseconds(d time.Duration) float64 { return 1e3 * d.Seconds() }

// profile prints where the time of a training step, an evaluation or both goes.
func (w *workload) profile(out io.Writer, c config) error {
	if c.profile != "forward" {
		if err := w.profileTraining(out, c); err != nil {
			return err
		}
	}
	if c.profile != "train" {
		return w.profileForward(out, c)
	}
	return nil
}

func (w *workload) profileTraining(out io.Writer, c config) error {
	if err := w.train(); err != nil {
		return err
	}
	t := &table{rows: map[string]*row{}, by: c.by}
	for range c.steps {
		if err := w.training.loss.Program().RunTimed(t.report); err != nil {
			return err
		}
		start := time.Now()
		w.update()
		t.add("Adam and EMA", time.Since(start), 0)
	}
	t.print(out, w.title("training"), c.steps, w.batch)
	return nil
}

// profileForward times the loss without gradients: it is D and a negligible
// sum.
func (w *workload) profileForward(out io.Writer, c config) error {
	l, err := w.model.NewLoss(loss.Default(), w.batch, false)
	if err != nil {
		return err
	}
	b := newBatch(w.model.Config(), w.batch)
	if err := l.Run(w.weights, nil, make([]float64, w.batch), &b); err != nil {
		return err
	}
	t := &table{rows: map[string]*row{}, by: c.by}
	for range c.steps {
		if err := l.Program().RunTimed(t.report); err != nil {
			return err
		}
	}
	t.print(out, w.title("forward"), c.steps, w.batch)
	return nil
}

func (w *workload) title(what string) string {
	return fmt.Sprintf("%s, batch %d, %d parameters, kernels %s", what, w.batch, w.model.Layout().Count, w.device.Name())
}
