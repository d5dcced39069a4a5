package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/spf13/pflag"

	"edm/internal/cli"
	"edm/sample"
	"edm/sample/generate"
)

// editing is --edit: images that start from a noised one (SDEdit, Meng et al.
// 2022).
type editing struct {
	path     string
	strength float64
}

func (e *editing) bind(f *pflag.FlagSet) {
	f.StringVar(&e.path, editMode, "", "start from this `image` with noise instead of noise alone (SDEdit)")
	f.Float64Var(&e.strength, "strength", 0, "with --edit, the noise `level` to start at: higher keeps less of the image")
}

func (e *editing) validate(changed func(string) bool) error {
	var errs []error
	if e.path == "" {
		errs = append(errs, errors.New("--edit is empty, want an image file"))
	}
	if !changed("strength") {
		errs = append(errs, errors.New("--edit needs --strength: the noise level to start at, such as 2"))
	} else if !(e.strength > 0) || math.IsInf(e.strength, 1) {
		errs = append(errs, fmt.Errorf("--strength is %g, want a finite number above 0", e.strength))
	}
	if changed("sigma_max") {
		errs = append(errs, errors.New("--sigma_max has no effect with --edit: --strength says where to start"))
	}
	return errors.Join(errs...)
}

func (e *editing) name() string { return filepath.Base(e.path) }

// prepare reads the image and lowers the first noise level.
func (e *editing) prepare(d *imageJob, o *sample.Settings) (generate.Source, error) {
	o.SigmaMax = e.strength
	if err := o.Validate(); err != nil {
		return d.source, cli.Usagef("--strength: %w", err)
	}
	var err error
	d.start, err = readPixels(e.path, d.source)
	if err != nil {
		err = fmt.Errorf("--edit: %w", err)
	}
	return d.source, err
}
