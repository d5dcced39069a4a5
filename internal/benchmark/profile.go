package benchmark

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"text/tabwriter"
	"time"

	"gorgonia.org/tensor"

	"edm/internal/engine"
	"edm/internal/op"
)

// Row is the cost of one operation, or of one kind of operation, in one step of
// the workload.
type Row struct {
	Name  string
	Calls int
	Time  time.Duration
	Flops float64 // of products
	Bytes float64 // of its arrays, each read or written once
}

// Profile holds the operations of a step in the order they run. Each keeps its
// fastest time of several steps: the time of other programs on the machine is not part
// of a profile.
type Profile struct {
	title  string
	images int
	ops    []Row
	at     int // next operation of the step now timed
	shapes bool
	steps  int
	wall   time.Duration // of all steps
}

// Profile times every operation of a mode in a number of steps. Operations are
// named by their kind, or by kind and shapes.
func (w *Workload) Profile(mode Mode, steps int, shapes bool) (*Profile, error) {
	p := &Profile{shapes: shapes, images: w.batch}
	p.title = fmt.Sprintf("%s, batch %d, %d parameters, kernels %s", mode, w.batch, w.model.Layout().Count, w.device.Name())
	step, err := w.timedStep(mode, p)
	if err != nil {
		return nil, err
	}
	for range steps {
		if err := p.step(step); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// timedStep runs a mode once and returns its step with every operation
// reported to p.
func (w *Workload) timedStep(mode Mode, p *Profile) (func() error, error) {
	if mode == Training {
		return func() error {
			if err := w.training.loss.Program().RunTimed(p.report); err != nil {
				return err
			}
			start := time.Now()
			if err := errors.Join(w.update(), w.settle()); err != nil {
				return err
			}
			p.add(Row{Name: "Adam and EMA", Time: time.Since(start), Bytes: adamBytes * float64(len(w.weights))})
			return nil
		}, w.Run(mode)
	}
	if err := w.Run(mode); err != nil {
		return nil, err
	}
	program, err := w.denoiser.Program(w.batch)
	return func() error { return program.RunTimed(p.report) }, err
}

// adamBytes are the bytes that the optimiser's pass moves for a parameter: five numbers
// read, four of them written.
const adamBytes = 4 * (5 + 4)

// settle waits for a GPU, which updates weights while the host goes on.
func (w *Workload) settle() error { return w.device.Download(w.weights[:1]) }

// step times one step of the workload, which calls add for each operation.
func (p *Profile) step(f func() error) error {
	p.at = 0
	start := time.Now()
	err := f()
	p.wall += time.Since(start)
	p.steps++
	return err
}

// add records the time of the next operation.
func (p *Profile) add(r Row) {
	if p.at == len(p.ops) {
		r.Calls = 1
		p.ops = append(p.ops, r)
	}
	p.ops[p.at].Time = min(p.ops[p.at].Time, r.Time)
	p.at++
}

// report adds one operation of a program.
func (p *Profile) report(s *engine.Step, d time.Duration) {
	p.add(Row{Name: label(s, p.shapes), Time: d, Flops: op.Flops(s.Spec, s.In, s.Out), Bytes: op.Bytes(s.Spec, s.In, s.Out)})
}

// Rows sums operations of equal name, slowest first, and all of them.
func (p *Profile) Rows() (rows []Row, total Row) {
	total.Name = "total"
	byName := map[string]*Row{}
	for _, o := range p.ops {
		r := byName[o.Name]
		if r == nil {
			r = &Row{Name: o.Name}
			byName[o.Name] = r
		}
		for _, sum := range []*Row{r, &total} {
			sum.Calls++
			sum.Time += o.Time
			sum.Flops += o.Flops
			sum.Bytes += o.Bytes
		}
	}
	for _, r := range byName {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Name, b.Name))
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

// Print writes the profile as a table.
func (p *Profile) Print(out io.Writer) error {
	rows, total := p.Rows()
	mean := p.wall / time.Duration(max(p.steps, 1))
	fmt.Fprintf(out, "%s\n%d steps of %.1f ms on average (%.2f img/s); fastest time of every operation:\n",
		p.title, p.steps, milliseconds(mean), float64(p.images)/mean.Seconds())
	tab := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "calls\tms\tshare %\tGFLOP\tGFLOP/s\t  operation")
	for _, r := range append(rows, total) {
		rate := "-\t-"
		if r.Flops > 0 {
			rate = fmt.Sprintf("%.2f\t%.1f", r.Flops/1e9, r.Flops/r.Time.Seconds()/1e9)
		}
		fmt.Fprintf(tab, "%d\t%.2f\t%.1f\t%s\t  %s\n", r.Calls, milliseconds(r.Time),
			100*r.Time.Seconds()/total.Time.Seconds(), rate, r.Name)
	}
	return tab.Flush()
}

func milliseconds(d time.Duration) float64 { return 1e3 * d.Seconds() }
