package benchmark

import (
	"time"

	"edm/internal/cpu"
	"edm/internal/engine"
	"edm/model"
)

// Limit is the bound of an operation, products or memory: the peak of its share.
type Limit string

// The limits.
const (
	Products Limit = "products" // those of matrices, in the precision of the run
	Memory   Limit = "memory"   // the device's, to copy within
)

// Operation is the time of one kind of operation in a training step.
type Operation struct {
	Row
	Limit Limit
	Share float64 // of the peak: of products their operations a second, of others the bytes of their arrays, each read or written once
}

// profiledSteps is the number of steps whose fastest time of each operation
// counts.
const profiledSteps = 3

// operations times every operation of training steps.
func (w *Workload) operations() ([]Operation, error) {
	p, err := w.Profile(Training, profiledSteps, false)
	if err != nil {
		return nil, err
	}
	rows, _ := p.Rows()
	var all []Operation
	for _, row := range rows {
		o := Operation{Row: row, Limit: Memory}
		if row.Flops > 0 {
			o.Limit = Products
		}
		all = append(all, o)
	}
	return all, nil
}

// rate fills in the operations' shares of the peaks.
func rate(operations []Operation, peaks engine.Peaks) {
	for i := range operations {
		o := &operations[i]
		work, peak := o.Bytes, peaks.Copy
		if o.Limit == Products {
			work, peak = o.Flops, peaks.Product
		}
		o.Share = work / max(o.Time, time.Nanosecond).Seconds() / peak
	}
}

// meter measures the peaks of the device and keeps the highest so far: other programs
// lower a measurement, not the peak.
func (r *Result) meter(d *model.Device) error {
	switch b := d.Backend().(type) {
	case engine.Meter:
		p, err := b.Peaks()
		if err != nil {
			return err
		}
		if r.Peaks.Products == nil {
			r.Peaks.Products = map[string]float64{}
		}
		for name, v := range p.Products {
			r.Peaks.Products[name] = max(r.Peaks.Products[name], v)
		}
		r.Peaks.Product, r.Peaks.Copy = max(r.Peaks.Product, p.Product), max(r.Peaks.Copy, p.Copy)
		r.FMAPeak = r.Peaks.Product / 1e9
	case engine.Executor: // the processor's peak says nothing of it
	default:
		r.FMAPeak = max(r.FMAPeak, cpu.PeakFMA(r.Threads)/1e9)
	}
	return nil
}
