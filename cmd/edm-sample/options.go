package main

import (
	"errors"
	"fmt"

	"edm/sample"
)

// options are what the command line asks for.
type options struct {
	network string // snapshot or run folder; "" is the newest under runs
	runs    string
	outdir  string
	seeds   seedList
	subdirs bool
	class   string // "" draws each image's class from its seed
	batch   int
	grid    int // columns; 0 writes no grid
	threads int
	sampler sample.Options

	autoGrid bool // choose the columns
}

func defaultOptions() *options {
	o := &options{runs: "runs", outdir: "samples", batch: 16, sampler: sample.DefaultOptions()}
	for seed := range uint64(64) {
		o.seeds.values = append(o.seeds.values, seed)
	}
	o.seeds.text = "0-63"
	return o
}

// Validate returns every fault of the options, joined.
func (o *options) Validate() error {
	var errs []error
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{o.outdir == "", "--outdir is empty, want a folder"},
		{o.network == "" && o.runs == "", "--runs is empty, want a folder of runs"},
		{o.batch < 1, fmt.Sprintf("--batch is %d, want at least 1", o.batch)},
		{o.grid < 0, fmt.Sprintf("--grid is %d, want 0 or more columns", o.grid)},
		{o.threads < 0, fmt.Sprintf("--threads is %d, want 0 or more", o.threads)},
	} {
		if c.bad {
			errs = append(errs, errors.New(c.text))
		}
	}
	return errors.Join(append(errs, o.sampler.Validate())...)
}
