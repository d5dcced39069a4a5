package train

import (
	"context"

	"edm/data"
	"edm/model"
)

// source hands out the microbatches of a run in their order.
type source interface {
	// next returns the next microbatch, which the caller holds until its release.
	next(ctx context.Context) (*microbatch, error)
	// ahead returns the microbatch that next will return, nil where the run ends first
	// or next will fail. A device sends it to its memory while it computes the one before.
	ahead(ctx context.Context) *microbatch
}

// microbatch is the part of a batch that passes over the network at once.
type microbatch struct {
	model.Batch
	augmented []float32   // memory of Images, where images are augmented
	last      *data.Batch // the batch that this is the last part of, or nil
	home      *pipeline
}

// release returns the memory of a microbatch, and with the last of a batch that of the
// batch, to the pipeline. A microbatch that no pipeline owns stays as it is.
func (m *microbatch) release() {
	if m.home == nil {
		return
	}
	if m.last != nil {
		m.last.Release()
		m.last = nil
	}
	m.home.free = append(m.home.free, m)
}

// pipeline reads batches and draws microbatches from them, one ahead at most. It owns
// the loader. Two microbatches, and two batches, can be held at once.
type pipeline struct {
	loader  *data.Loader
	draws   *draws
	batches int64       // still to be read
	batch   *data.Batch // from which the next microbatch is drawn, or nil
	at      int         // its first image in batch
	drawn   *microbatch // ahead of its step, or nil
	free    []*microbatch
}

// newPipeline returns the microbatches of a run from image nimg on. It must be closed.
func newPipeline(c Config, d *draws, ds data.Dataset, nimg int64) (*pipeline, error) {
	o := data.DefaultLoaderOptions()
	o.Seed, o.Start, o.Batch, o.XFlip = c.Seed, nimg, c.Batch, c.XFlip
	loader, err := data.NewLoader(ds, o)
	if err != nil {
		return nil, err
	}
	size := int64(c.Batch)
	p := &pipeline{loader: loader, draws: d, batches: (c.TotalImages() - nimg + size - 1) / size}
	for range 2 {
		m := d.newBatch()
		m.home = p
		p.free = append(p.free, m)
	}
	return p, nil
}

func (p *pipeline) close() { p.loader.Close() }

func (p *pipeline) next(ctx context.Context) (*microbatch, error) {
	if m := p.drawn; m != nil {
		p.drawn = nil
		return m, nil
	}
	return p.draw(ctx)
}

func (p *pipeline) ahead(ctx context.Context) *microbatch {
	if p.drawn == nil && (p.batch != nil || p.batches > 0) {
		if m, err := p.draw(ctx); err == nil {
			p.drawn = m
		}
	}
	return p.drawn
}

// draw draws a microbatch, from the next batch where the one before is used up.
func (p *pipeline) draw(ctx context.Context) (*microbatch, error) {
	if p.batch == nil {
		b, err := p.loader.Next(ctx)
		if err != nil {
			return nil, err
		}
		p.batch, p.at = b, 0
		p.batches--
	}
	m := p.free[len(p.free)-1]
	if err := p.draws.fill(m, p.batch, p.at); err != nil {
		return nil, err
	}
	p.free = p.free[:len(p.free)-1]
	p.at += len(m.Sigma)
	if p.at == p.batch.N {
		m.last, p.batch = p.batch, nil
	}
	return m, nil
}

// fixed hands out the microbatches of one batch, again and again and never ahead.
type fixed struct {
	draws *draws
	batch *data.Batch
	at    int
}

func (f *fixed) next(context.Context) (*microbatch, error) {
	m := f.draws.newBatch()
	err := f.draws.fill(m, f.batch, f.at)
	f.at = (f.at + len(m.Sigma)) % f.batch.N
	return m, err
}

func (f *fixed) ahead(context.Context) *microbatch { return nil }
