package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"edm/checkpoints"
	"edm/data"
	"edm/internal/cli"
	"edm/model/precond"
	"edm/train"
)

// resolve returns the configuration that the command line asks for, valid, and
// its dataset, open. With --resume it also puts the run's path into r.resume.
func (r *request) resolve(ctx context.Context) (train.Config, data.Dataset, error) {
	c, defaults, err := r.layered()
	if err != nil {
		return c, nil, err
	}
	ds, err := openData(c)
	if err != nil {
		return c, nil, err
	}
	if err := r.fit(ctx, &c, defaults, ds); err != nil {
		return c, nil, errors.Join(err, data.Close(ds))
	}
	return c, ds, nil
}

// layered returns the configuration of preset, file and flags, each over the
// one before, and the preset's own.
func (r *request) layered() (c, defaults train.Config, err error) {
	if c, defaults, err = r.base(); err != nil {
		return c, defaults, err
	}
	below := c
	for _, s := range r.settings {
		if r.changed(s.name) {
			s.copy(&c, &r.set)
		}
	}
	r.renew(&c, below)
	if r.changed("resolution") {
		c.Resolution = r.resolution
	}
	if r.changed("channels") {
		c.Channels = r.channels
	}
	if c.Data, err = anywhere(c.Data); err != nil {
		err = fmt.Errorf("--data: %w", err)
	}
	return c, defaults, err
}

// renew drops the constants of a preconditioning or an objective that a flag replaced,
// and the objective that went with the preconditioning.
func (r *request) renew(c *train.Config, below train.Config) {
	if c.Precond != below.Precond {
		c.PrecondParams = maps.Clone(r.set.PrecondParams)
		if !r.changed("loss") && c.Loss == train.OwnLoss(below.Precond) {
			c.Loss = train.OwnLoss(c.Precond)
		}
	}
	if c.Loss != below.Loss {
		c.LossParams = maps.Clone(r.set.LossParams)
	}
}

// openData opens the dataset of a configuration.
func openData(c train.Config) (data.Dataset, error) {
	ds, err := data.Open(c.Data, data.Options{
		Resolution: c.Resolution, RGB: c.Channels == 3, CacheBytes: data.DefaultOptions().CacheBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	return ds, nil
}

// base returns the configuration below the flags: the preset's or that of the
// run to resume, under the file's. Image size and channels are 0 where nothing
// but the data decides. defaults is the preset's own.
func (r *request) base() (c, defaults train.Config, err error) {
	if r.resume != "" {
		return r.resumed()
	}
	if c, err = fromPreset(r.preset); err != nil {
		return c, c, err
	}
	defaults = c
	if r.config == "" {
		return c, defaults, nil
	}
	if c, err = readConfig(r.config, defaults); err != nil {
		return c, defaults, err
	}
	switch {
	case r.changed("preset"):
		c.Preset = r.preset
	case c.Preset != defaults.Preset: // the file names another preset: start again from that
		if defaults, err = fromPreset(c.Preset); err == nil {
			c, err = readConfig(r.config, defaults)
		}
	}
	return c, defaults, err
}

// fromPreset returns a preset without the options that the data decides, and its
// objective: that of the preconditioning which a file or a flag may choose.
func fromPreset(name string) (train.Config, error) {
	c, err := train.Preset(name)
	if err != nil {
		return c, cli.Usagef("--preset: %w", err)
	}
	c.Resolution, c.Channels, c.Classes = 0, 0, 0
	c.Loss = ""
	return c, nil
}

// resumed returns the configuration of the run to resume, under the preset and
// the file if they are given.
func (r *request) resumed() (c, defaults train.Config, err error) {
	if err := r.findRun(); err != nil {
		return c, c, err
	}
	if c, err = train.LoadConfig(r.resume); err != nil {
		return c, c, fmt.Errorf("--resume: %w", err)
	}
	if r.changed("preset") {
		p, err := fromPreset(r.preset)
		if err != nil {
			return c, c, err
		}
		// Options for the data or from the caller belong to no preset.
		p.Data, p.Cond, p.Seed, p.XFlip, p.Validation = c.Data, c.Cond, c.Seed, c.XFlip, c.Validation
		p.Resolution, p.Channels, p.Classes = c.Resolution, c.Channels, c.Classes
		c = p
	}
	if r.config != "" {
		c, err = readConfig(r.config, c)
	}
	return c, c, err
}

// findRun turns --resume latest into the path of the newest run.
func (r *request) findRun() error {
	if r.resume != "latest" {
		return nil
	}
	dir, err := checkpoints.LatestRun(r.outdir, checkpoints.State)
	if errors.Is(err, checkpoints.ErrNone) {
		return fmt.Errorf("--resume latest: %w: start a run without --resume, or name its --outdir", err)
	}
	r.resume, r.latest = dir, true
	return err
}

// readConfig reads a YAML file over base.
func readConfig(path string, base train.Config) (train.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return base, fmt.Errorf("--config: read %s: %w", path, err)
	}
	c, err := train.ParseConfig(text, base)
	if err != nil {
		return base, cli.Usagef("--config: %s: %w", path, err)
	}
	return c, nil
}

// fit takes from the dataset what the data decides, and returns the faults of
// the configuration that results. What was asked for explicitly must agree with
// the data; a resumed run has all of it already.
func (r *request) fit(ctx context.Context, c *train.Config, defaults train.Config, ds data.Dataset) error {
	if r.resume == "" && ds.NumClasses() == 0 && defaults.Cond && !r.changed("cond") {
		c.Cond = false // the preset is conditional where there are labels
	}
	asked := *c
	if r.resume == "" {
		c.SetData(ds)
		if r.changed("validation") || asked.Validation != defaults.Validation {
			c.Validation = asked.Validation
		}
	}
	if !r.changed("micro") && c.Micro == defaults.Micro {
		c.Micro = divisor(c.Batch, c.Micro)
	}
	if err := measure(ctx, c, ds); err != nil {
		return err
	}
	c.Complete()
	return cli.Usage(errors.Join(faults(c, asked, ds), r.unused(c), c.Validate()))
}

// unused returns an error for every flag whose constant the configuration's
// objective and preconditioning do not read.
func (r *request) unused(c *train.Config) error {
	var errs []error
	check := func(flag string, used bool) {
		if r.changed(flag) && !used {
			errs = append(errs, fmt.Errorf("--%s has no effect with --precond %s and --loss %s: it is a constant of edm; leave it out", flag, c.Precond, c.Loss))
		}
	}
	check("p-mean", c.Loss == "edm")
	check("p-std", c.Loss == "edm")
	check("sigma-data", c.Loss == "edm" || c.Precond == precond.EDMName)
	return errors.Join(errs...)
}

// measure computes the figures of the data that the objective needs.
func measure(ctx context.Context, c *train.Config, ds data.Dataset) error {
	if !c.NeedsDistance() {
		return nil
	}
	report, err := data.Inspect(ctx, ds, data.DefaultInspectOptions())
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	c.SetDistance(report.SigmaMax())
	return nil
}

// faults returns the disagreements of the configuration and the flags with the data.
func faults(c *train.Config, asked train.Config, ds data.Dataset) error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	shape := ds.Shape()
	fault(asked.Channels != 0 && asked.Channels != shape.Channels,
		"channels is %d, but the images of %s have %d: leave it out of flags and --config, or ask for 3", asked.Channels, ds.Name(), shape.Channels)
	fault(c.Cond && ds.NumClasses() == 0, "--cond needs labels, and %s has none", ds.Name())
	fault(c.Cond && asked.Classes != 0 && asked.Classes != ds.NumClasses(),
		"classes is %d, but %s has %d", asked.Classes, ds.Name(), ds.NumClasses())
	fault(c.Validation >= ds.Len(), "--validation holds out %d of the %d images of %s, want fewer", c.Validation, ds.Len(), ds.Name())
	return errors.Join(errs...)
}

// anywhere returns a dataset's path such that a run resumes from any folder.
func anywhere(path string) (string, error) {
	if path == "" || path == "demo" {
		return path, nil
	}
	return filepath.Abs(path)
}

// divisor returns the largest divisor of batch up to top, so that --batch alone
// is enough.
func divisor(batch, top int) int {
	for d := min(batch, top); d > 1; d-- {
		if batch%d == 0 {
			return d
		}
	}
	return 1
}
