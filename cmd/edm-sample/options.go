package main

import (
	"errors"
	"fmt"

	"edm/model"
	"edm/sample"
)

// options are the values of the command line.
type options struct {
	networkPath string // snapshot, run folder or pickle; "" is the newest under runs
	runs        string
	outdir      string
	seeds       seedList
	subdirs     bool
	class       string // "" draws each image's class from its seed
	batch       int
	grid        int // columns; 0 writes no grid
	threads     int
	device      string
	precision   string
	asked       design // of the sampler
	nfe         int    // budget of evaluations that decides the steps; 0 for none

	guidance   guidance
	edit       editing
	inpaint    inpainting
	trajectory trajectory
	comparison comparison
	density    density
	toy        toy

	mode     string
	autoGrid bool            // choose the columns
	sampler  sample.Settings // resolved from asked
}

func defaultOptions() *options {
	o := &options{runs: "runs", outdir: "samples", batch: 16, device: model.AnyDevice, precision: model.DefaultPrecision, asked: design{}}
	o.seeds.upTo(64)
	return o
}

// Validate resolves the flags together and returns every fault, joined.
// changed reports whether a flag was given, and given lists those that were.
func (o *options) Validate(changed func(string) bool, given []string) error {
	var err error
	if o.mode, err = modeOf(changed); err != nil {
		return err
	}
	if err := checkScopes(o.mode, given); err != nil {
		return err
	}
	o.autoGrid = !changed("grid")
	if o.mode != drawMode && !changed("seeds") {
		o.seeds.upTo(comparedSeeds)
	}
	errs := []error{o.validateCommon(changed), o.guidance.validate(changed)}
	switch o.mode {
	case compareMode:
		return errors.Join(append(errs, o.comparison.validate(o.asked))...)
	case likelihoodMode, invertMode:
		return errors.Join(append(errs, o.density.validate(o.mode, o.asked, changed))...)
	case toyMode:
		return errors.Join(append(errs, o.toy.validate())...)
	case editMode:
		errs = append(errs, o.edit.validate(changed))
	case inpaintMode:
		errs = append(errs, o.inpaint.validate())
	case trajectoryMode:
		errs = append(errs, o.trajectory.validate())
	}
	return errors.Join(append(errs, o.validateSampler(changed))...)
}

// validateCommon returns the faults of the flags of every mode, joined.
func (o *options) validateCommon(changed func(string) bool) error {
	var errs []error
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{o.outdir == "", "--outdir is empty, want a folder"},
		{o.networkPath == "" && (o.runs == "" || changed("network")), "--network or --runs is empty, want a snapshot or a folder of runs"},
		{o.batch < 1, fmt.Sprintf("--batch is %d, want at least 1", o.batch)},
		{o.grid < 0, fmt.Sprintf("--grid is %d, want 0 or more columns", o.grid)},
		{o.threads < 0 || o.threads > model.MaxThreads, fmt.Sprintf("--threads is %d, want 0 to %d", o.threads, model.MaxThreads)},
		{changed("nfe") && o.nfe < 1, fmt.Sprintf("--nfe is %d, want at least 1", o.nfe)},
		{changed("nfe") && changed(stepsName), "--nfe and --steps exclude each other: --nfe decides the steps"},
	} {
		if c.bad {
			errs = append(errs, errors.New(c.text))
		}
	}
	if err := model.CheckDevice(o.device, o.precision); err != nil {
		errs = append(errs, fmt.Errorf("--device, --precision: %w", err))
	}
	return errors.Join(errs...)
}

// validateSampler fills the sampler's options and returns their faults, joined.
func (o *options) validateSampler(changed func(string) bool) error {
	var err error
	if o.sampler, err = o.asked.options(); err != nil {
		return err
	}
	if err := o.sampler.Validate(); err != nil {
		return err
	}
	if !changed("nfe") || o.nfe < 1 {
		return nil
	}
	if info, err := sample.Describe(o.sampler.Solver); err == nil && info.Adaptive {
		return fmt.Errorf("--nfe: solver %s chooses its own steps: set --rtol, --atol or --max_nfe", o.sampler.Solver)
	}
	if o.sampler.NumSteps, err = sample.StepsFor(o.sampler, o.nfe); err != nil {
		return fmt.Errorf("--nfe: %w", err)
	}
	return nil
}
