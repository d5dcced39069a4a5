package main

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"
	"text/tabwriter"
	"time"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/loss"
)

// row is the cost of one operation, or of one kind of operation, in one step of
// the workload.
type row struct {
	name  string
	calls int
	time  time.Duration
	flops float64
}

// table holds the operations of a step in the order they run. Each keeps its
// fastest time of several steps: what other programs on the machine took is
// not part of a profile.
type table struct {
	ops    []row
	at     int // next operation of the step now timed
	shapes bool
	steps  int
	wall   time.Duration // of all steps
}

// step times one step of the workload, which calls add for each operation.
func (t *table) step(f func() error) error {
	t.at = 0
	start := time.Now()
	err := f()
	t.wall += time.Since(start)
	t.steps++
	return err
}

// add records the time of the next operation.
func (t *table) add(name string, d time.Duration, flops float64) {
	if t.at == len(t.ops) {
		t.ops = append(t.ops, row{name, 1, d, flops})
	}
	t.ops[t.at].time = min(t.ops[t.at].time, d)
	t.at++
}

// report adds one operation of a program.
func (t *table) report(s *engine.Step, d time.Duration) {
	t.add(label(s, t.shapes), d, op.Flops(s.Spec, s.In, s.Out))
}

// rows sums operations of equal name, slowest first, and all of them.
func (t *table) rows() (rows []row, total row) {
	total.name = "total"
	byName := map[string]*row{}
	for _, o := range t.ops {
		r := byName[o.name]
		if r == nil {
			r = &row{name: o.name}
			byName[o.name] = r
		}
		for _, sum := range []*row{r, &total} {
			sum.calls++
			sum.time += o.time
			sum.flops += o.flops
		}
	}
	for _, r := range byName {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(a.name, b.name))
	})
	return rows, total
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

// print writes the table, for a workload of a number of images a step.
func (t *table) print(out io.Writer, title string, images int) {
	rows, total := t.rows()
	mean := t.wall / time.Duration(t.steps)
	fmt.Fprintf(out, "%s\n%d steps of %.1f ms on average (%.2f img/s); fastest time of every operation:\n",
		title, t.steps, milliseconds(mean), float64(images)/mean.Seconds())
	tab := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "calls\tms\tshare %\tGFLOP\tGFLOP/s\t  operation")
	for _, r := range append(rows, total) {
		rate := "-\t-"
		if r.flops > 0 {
			rate = fmt.Sprintf("%.2f\t%.1f", r.flops/1e9, r.flops/r.time.Seconds()/1e9)
		}
		fmt.Fprintf(tab, "%d\t%.2f\t%.1f\t%s\t  %s\n", r.calls, milliseconds(r.time),
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
	t := &table{shapes: c.by == "shape"}
	for range c.steps {
		err := t.step(func() error {
			if err := w.training.loss.Program().RunTimed(t.report); err != nil {
				return err
			}
			start := time.Now()
			w.update()
			t.add("Adam and EMA", time.Since(start), 0)
			return nil
		})
		if err != nil {
			return err
		}
	}
	t.print(out, w.title("training"), w.batch)
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
	t := &table{shapes: c.by == "shape"}
	for range c.steps {
		if err := t.step(func() error { return l.Program().RunTimed(t.report) }); err != nil {
			return err
		}
	}
	t.print(out, w.title("forward"), w.batch)
	return nil
}

func (w *workload) title(what string) string {
	return fmt.Sprintf("%s, batch %d, %d parameters, kernels %s", what, w.batch, w.model.Layout().Count, w.device.Name())
}
