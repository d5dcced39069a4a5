package train

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// loop takes steps until the run is done or ctx is cancelled.
func (r *run) loop(ctx context.Context) error {
	p, err := newPipeline(r.config, r.draws, r.training, r.nimg)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer p.close()
	r.source = p
	r.began = time.Now()
	if r.savedAt.IsZero() {
		r.savedAt = r.began
	}
	if hook := r.options.Hooks.Start; hook != nil {
		hook(Start{
			Dir: r.dir, Config: r.config, Parameters: r.model.Layout().Count, NImg: r.nimg,
			Total: r.config.TotalImages(), PlanBytes: r.program.Program().Program().ArenaBytes(),
		})
	}
	for r.nimg < r.config.TotalImages() && ctx.Err() == nil {
		if err := r.one(ctx); err != nil {
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
	}
	return nil
}

// one takes a step, then reports and saves if a tick is due.
func (r *run) one(ctx context.Context) error {
	start := time.Now()
	before := r.nimg
	sum, count := r.stats.bins.total()
	if err := r.advance(ctx, &r.stats); err != nil {
		return err
	}
	took := time.Since(start)
	r.stats.busy += took
	if hook := r.options.Hooks.Step; hook != nil {
		after, n := r.stats.bins.total()
		hook(Step{NImg: r.nimg, Loss: (after - sum) / float64(max(n-count, 1)), Time: took})
	}
	length := int64(r.config.Tick) * 1000
	var err error
	if was, is := before/length, r.nimg/length; is > was {
		err = r.due(was, is, ctx.Err() == nil)
	}
	if every := r.options.Autosave; err == nil && every > 0 && time.Since(r.savedAt) > every {
		err = r.saveState()
	}
	return err
}

// due reports and writes the state and snapshot that fall on the ticks after was
// up to is. Ticks are numbered by images, so a resumed run has them where the
// first would. The log comes first: a run that is killed in between resumes from
// an earlier state and writes the line again. A log that fails does not keep the
// state from being saved.
func (r *run) due(was, is int64, validate bool) error {
	on := func(every int) bool { return every > 0 && is/int64(every) > was/int64(every) }
	err := r.report(validate)
	if on(r.config.Dump) {
		err = errors.Join(err, r.saveState())
	}
	if on(r.config.Snap) && err == nil {
		err = r.saveSnapshot()
	}
	return err
}

// report logs a tick, with the validation losses if asked for.
func (r *run) report(validate bool) error {
	t := r.stats.tick()
	t.NImg, t.Step = r.nimg, r.step
	if validate && r.validation != nil {
		if err := r.validate(&t); err != nil {
			return err
		}
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

// validate fills in the validation losses of both sets of weights.
func (r *run) validate(t *Tick) error {
	raw, _, err := r.validation.run(r.weights.raw)
	if err != nil {
		return err
	}
	ema, byLevel, err := r.validation.run(r.weights.ema)
	if err != nil {
		return err
	}
	t.ValRaw, t.ValEMA, t.ValBins = &raw, &ema, byLevel
	return nil
}

// finish writes the last state, snapshot and tick, if they are missing; a failure of
// one does not prevent the others. A run that was told to stop skips the validation.
func (r *run) finish(stopped bool) error {
	var errs []error
	if r.stateAt != r.nimg {
		errs = append(errs, r.saveState())
	}
	if r.snapshotAt != r.nimg {
		errs = append(errs, r.saveSnapshot())
	}
	if r.stats.steps > 0 {
		errs = append(errs, r.report(!stopped))
	}
	return errors.Join(errs...)
}
