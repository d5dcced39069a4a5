package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"edm/checkpoints"
	"edm/data"
	"edm/internal/atomicfile"
	"edm/model"
)

// run is one training run in progress.
type run struct {
	*stepper
	options     Options
	model       *model.Model
	validation  *validation // nil for none
	training    data.Dataset
	fingerprint string
	dir         string
	log         *checkpoints.Log
	stats       stats
	began       time.Time
	snapshot    string // path of the last one
	snapshotAt  int64  // and its image count; -1 for none
	stateAt     int64
	savedAt     time.Time // when the last state was written
}

// Run trains until Duration, or until ctx is cancelled: then it finishes the
// step, writes a state and a snapshot and returns with Done false and no error.
// A new run gets a folder of its own; a resumed one continues in its folder,
// bit for bit as if it had never stopped.
func Run(ctx context.Context, c Config, o Options) (Result, error) {
	c.Complete()
	if err := errors.Join(c.Validate(), c.fits(o.Dataset)); err != nil {
		return Result{}, err
	}
	r, err := newRun(c, o)
	if err != nil {
		return Result{}, err
	}
	defer r.close()
	release, err := r.open()
	if err != nil {
		return Result{}, err
	}
	defer release()
	if err = r.loop(ctx); err == nil {
		err = r.finish(ctx.Err() != nil)
	}
	if errors.Is(err, model.ErrLost) {
		err = fmt.Errorf("%w; the last state, after %d images, is intact in %s: resume from it", err, r.stateAt, r.dir)
	}
	return r.result(), err
}

// close gives the device's memory back. After a fault of the device it fails
// too, which says nothing new.
func (r *run) close() {
	if r.validation != nil {
		_ = r.validation.program.Close()
	}
	_ = r.release()
}

func (r *run) result() Result {
	return Result{Dir: r.dir, NImg: r.nimg, Done: r.nimg >= r.config.TotalImages(), Snapshot: r.snapshot}
}

// fits reports how the configuration and the dataset disagree.
func (c Config) fits(ds data.Dataset) error {
	if ds == nil {
		return errors.New("train: no dataset")
	}
	var errs []error
	s := ds.Shape()
	if s.Height != c.Resolution || s.Width != c.Resolution || s.Channels != c.Channels {
		errs = append(errs, fmt.Errorf("train: %s has images of %v, the configuration wants %dx%dx%d",
			ds.Name(), s, c.Channels, c.Resolution, c.Resolution))
	}
	if c.Cond && ds.NumClasses() == 0 {
		errs = append(errs, fmt.Errorf("train: %w, and %s has none", ErrNoLabels, ds.Name()))
	} else if want := map[bool]int{true: ds.NumClasses()}[c.Cond]; c.Classes != want {
		errs = append(errs, fmt.Errorf("train: the configuration has %d classes, want %d of %s", c.Classes, want, ds.Name()))
	}
	if c.Validation >= ds.Len() {
		errs = append(errs, fmt.Errorf("train: validation holds out %d of the %d images of %s, want fewer", c.Validation, ds.Len(), ds.Name()))
	}
	return errors.Join(errs...)
}

// SetData sets the options that the data decides: image size, channels, classes if
// conditional, and a held-out part of at most a twentieth.
func (c *Config) SetData(ds data.Dataset) {
	c.Resolution, c.Channels, c.Classes = ds.Shape().Height, ds.Shape().Channels, 0
	if c.Cond {
		c.Classes = ds.NumClasses()
	}
	c.Validation = min(c.Validation, ds.Len()/20)
}

// newRun prepares everything that can fail without touching the disk.
func newRun(c Config, o Options) (*run, error) {
	mc, err := c.Model()
	if err != nil {
		return nil, err
	}
	m, err := model.New(mc, o.Device)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	s, err := newStepper(c, m, o.Device)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	r := &run{stepper: s, options: o, model: m, training: o.Dataset, snapshotAt: -1, stateAt: -1}
	if err := r.prepare(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// prepare sets up statistics, fingerprint and validation.
func (r *run) prepare() error {
	objective, err := r.config.Objective()
	if err != nil {
		return err
	}
	r.stats.bins.axis = newAxis(objective)
	if r.fingerprint, err = fingerprint(r.training); err != nil {
		return err
	}
	if r.config.Validation == 0 {
		return nil
	}
	rest, held, err := data.Split(r.training, r.config.Validation)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	r.validation, err = newValidation(r.config, r.model, held)
	r.training = rest
	return err
}

// open makes or reopens the run's folder, locks it and restores its state.
func (r *run) open() (release func(), err error) {
	if err := r.settleDir(); err != nil {
		return nil, err
	}
	// The lock comes before the state is chosen: a run that still trains may be
	// replacing states.
	unlock, err := checkpoints.Lock(r.dir)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := r.begin(); err != nil {
		err = errors.Join(err, unlock())
		if r.options.Resume == "" { // nothing in the new folder is of use
			err = errors.Join(err, os.RemoveAll(r.dir))
		}
		return nil, err
	}
	return func() {
		if err := errors.Join(r.log.Close(), unlock()); err != nil {
			r.warn(err.Error())
		}
	}, nil
}

// settleDir finds the folder of a resumed run, or makes that of a new one.
func (r *run) settleDir() (err error) {
	if r.options.Resume != "" {
		r.dir, err = resumeDir(r.options.Resume)
		return err
	}
	if r.config.Transfer != "" {
		if err := r.transfer(r.config.Transfer); err != nil {
			return err
		}
	}
	if r.dir, err = checkpoints.NewRun(r.options.OutDir, r.name()); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// begin restores the state of a resumed run, makes the folder agree with it,
// and opens the log.
func (r *run) begin() error {
	if err := atomicfile.CleanStale(r.dir); err != nil {
		r.warn(err.Error())
	}
	if r.options.Resume != "" {
		if err := r.rejoin(); err != nil {
			return err
		}
	}
	// The state comes before the configuration: the folder can be resumed at any
	// moment, also after a kill before the first tick.
	if r.stateAt != r.nimg || r.options.Force {
		if err := r.saveState(); err != nil {
			return err
		}
	}
	log, err := checkpoints.OpenLog(r.dir)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := errors.Join(log.TruncateAfter(r.nimg), r.config.saveConfig(r.dir)); err != nil {
		return errors.Join(fmt.Errorf("train: %w", err), log.Close())
	}
	r.log = log
	return nil
}

// rejoin restores the state to resume from and sets later files aside.
func (r *run) rejoin() error {
	f, err := loadState(r.options.Resume, r.warn)
	if err != nil {
		return err
	}
	if err := r.restore(f); err != nil {
		return err
	}
	moved, err := checkpoints.Rewind(r.dir, r.nimg)
	if err != nil {
		return fmt.Errorf("train: resume: %w", err)
	}
	if moved > 0 {
		r.warn(fmt.Sprintf("%d files from beyond image %d were moved to %s", moved, r.nimg, filepath.Join(r.dir, checkpoints.SupersededDir)))
	}
	return nil
}

// name returns the new run's folder name behind its number.
func (r *run) name() string {
	cond := "uncond"
	if r.config.Cond {
		cond = "cond"
	}
	objective := r.config.Precond
	if r.config.Loss != OwnLoss(r.config.Precond) {
		objective += "-" + r.config.Loss
	}
	name := fmt.Sprintf("%s-%s-%s-%s-batch%d", r.options.Dataset.Name(), cond, r.config.Arch, objective, r.config.Batch)
	if r.options.Desc != "" {
		name += "-" + r.options.Desc
	}
	return name
}

func (r *run) warn(message string) {
	if r.options.Hooks.Warn != nil {
		r.options.Hooks.Warn(message)
	}
}
