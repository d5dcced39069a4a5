package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edm/data"
)

// loop takes steps until the run is done or ctx is cancelled.
func (r *run) loop(ctx context.Context) error {
	options := data.DefaultLoaderOptions()
	options.Seed, options.Start, options.Batch, options.XFlip = r.config.Seed, r.nimg, r.config.Batch, r.config.XFlip
	loader, err := data.NewLoader(r.training, options)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer loader.Close()
	r.began = time.Now()
	if hook := r.options.Hooks.Start; hook != nil {
		hook(Start{
			Dir: r.dir, Config: r.config, Parameters: r.model.Layout().Count, NImg: r.nimg,
			Total: r.config.TotalImages(), PlanBytes: r.program.Program().Program().ArenaBytes(),
		})
	}
	for r.nimg < r.config.TotalImages() && ctx.Err() == nil {
		if err := r.one(ctx, loader); err != nil {
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
	}
	return nil
}

// one takes a step and does what is due after it.
func (r *run) one(ctx context.Context, loader *data.Loader) error {
	start := time.Now()
	batch, err := loader.Next(ctx)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	before := r.nimg
	sum, count := r.stats.bins.total()
	if err := r.advance(batch, &r.stats); err != nil {
		return err
	}
	took := time.Since(start)
	r.stats.busy += took
	if hook := r.options.Hooks.Step; hook != nil {
		after, n := r.stats.bins.total()
		hook(Step{NImg: r.nimg, Loss: (after - sum) / float64(max(n-count, 1)), Time: took})
	}
	length := int64(r.config.Tick) * 1000
	if tick := r.nimg / length; tick > before/length {
		return r.due(tick)
	}
	return nil
}

// due reports a tick and writes the snapshot and state that fall on it. Ticks
// are numbered by images, so a resumed run has them where the first would.
func (r *run) due(tick int64) error {
	if err := r.report(); err != nil {
		return err
	}
	on := func(every int) bool { return every > 0 && tick%int64(every) == 0 }
	if on(r.config.Snap) {
		if err := r.saveSnapshot(); err != nil {
			return err
		}
	}
	if on(r.config.Dump) {
		return r.saveState()
	}
	return nil
}

// report logs a tick with the validation losses.
func (r *run) report() error {
	t := r.stats.tick()
	t.NImg, t.Step = r.nimg, r.step
	if r.validation != nil {
		raw, _, err := r.validation.run(r.weights.raw)
		if err != nil {
			return err
		}
		ema, byLevel, err := r.validation.run(r.weights.ema)
		if err != nil {
			return err
		}
		t.ValRaw, t.ValEMA, t.ValBins = &raw, &ema, byLevel
	}
	t.Timestamp = time.Now().UTC().Truncate(time.Second)
	t.Seconds = time.Since(r.began).Seconds()
	r.stats.reset()
	if err := r.log.Append(t); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if hook := r.options.Hooks.Tick; hook != nil {
		hook(t)
	}
	return nil
}

// finish writes what is missing at the end: the last tick, a snapshot and a
// state.
func (r *run) finish() error {
	if r.stats.steps > 0 {
		if err := r.report(); err != nil {
			return err
		}
	}
	if r.stateAt != r.nimg {
		if err := r.saveState(); err != nil {
			return err
		}
	}
	if r.snapshotAt != r.nimg {
		return r.saveSnapshot()
	}
	return nil
}
