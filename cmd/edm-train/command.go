package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edm/data"
	"edm/internal/cli"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/train"
	"edm/unet"
)

const long = `edm-train trains a denoiser as in the EDM paper and writes to a folder of its own
under --outdir: config.yaml, log.jsonl, snapshots that edm-sample reads, states
to resume from, and preview images.

Values come from the preset, then the file given with --config, then the dataset
(image size, channels, classes), then the flags. The first SIGINT or SIGTERM
finishes the step, saves and exits with status 0; the second exits at once.
Time is counted in images: 1 kimg is 1,000 of them, 1 Mimg 1,000,000.

Flags may be spelt with underscores for dashes. "edm-train completion --help"
sets up completion for your shell.`

const examples = `  edm-train                                       the demo preset on the built-in images
  edm-train --preset small --data cifar-10-binary.tar.gz --cond --duration 2
  edm-train --config runs/00000-demo-.../config.yaml --seed 1
  edm-train --resume latest --duration 0.1
  edm-train --inspect --data cifar-10-binary.tar.gz
  edm-train --bench --preset small --batch 16 --threads 2`

// verifyUpTo is the size up to which a dataset is read through before training,
// so that a damaged image is found before hours of work; --dry-run does it for
// any size.
const verifyUpTo = 200_000

// newCommand returns the command; each has flags of its own.
func newCommand() *cobra.Command {
	r := &request{outdir: "runs", preset: "demo", preview: 16, benchTime: time.Second}
	cmd := &cobra.Command{
		Use: "edm-train", Short: "Train a diffusion model", Long: long, Example: examples,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.changed, r.given = cmd.Flags().Changed, given(cmd.Flags())
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cli.Prepare(cmd, spell)
	r.bind(cmd)
	return cmd
}

// request has the values of the command line.
type request struct {
	settings   []setting
	set        train.Config // the values of the flags in settings
	preset     string
	config     string // YAML file, or ""
	resolution int    // 0: as stored
	channels   int    // 0: as stored
	outdir     string
	desc       string
	resume     string // run folder, state file, "latest", or ""
	transfer   string // snapshot, run folder, or ""
	latest     bool   // --resume latest was given; resume is then the run's path
	force      bool
	dryRun     bool
	inspect    bool
	bench      bool
	benchTime  time.Duration // of one timing of --bench
	threads    int
	preview    int // images of a preview; 0 for none

	changed func(flag string) bool // whether a flag was given
	given   []string               // flags that were given
}

// bind makes the flags set r.
func (r *request) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.outdir, "outdir", r.outdir, "`folder` of runs")
	f.StringVar(&r.preset, "preset", r.preset, "`name` of the defaults: demo (10 minutes on 2 cores), small, or as published cifar10, ffhq64, afhqv2-64, imagenet64")
	f.StringVar(&r.config, "config", "", "YAML `file` of values, such as a run's config.yaml")
	r.settings = settings()
	for _, s := range r.settings {
		s.bind(f, &r.set)
	}
	f.IntVar(&r.resolution, "resolution", 0, "crop and scale image files to so many `pixels` (default: as stored)")
	f.IntVar(&r.channels, "channels", 0, "3 takes greyscale images as RGB `channels` (default: as stored)")
	f.StringVar(&r.desc, "desc", "", "`text` for the end of the run folder's name")
	f.StringVar(&r.resume, "resume", "", "continue a `run`: its folder, a state file in it, or latest for the newest under --outdir")
	f.StringVar(&r.transfer, "transfer", "", "start from the weights of a `file`, a snapshot or a published network pickle (.pkl), or of a run folder's newest")
	f.BoolVar(&r.force, "force", false, "resume in spite of changed options or data")
	f.IntVar(&r.preview, "preview", r.preview, "`images` of the preview at each snapshot; 0 for none (default 16)")
	f.Lookup("preview").DefValue = "0" // the usage says it: 0 is no default
	f.IntVar(&r.threads, "threads", 0, "processor `threads` (default: all); changes no result")
	f.BoolVar(&r.dryRun, "dry-run", false, "check everything, print the configuration, memory and time, and stop")
	f.BoolVar(&r.inspect, "inspect", false, "report on --data: figures, suggested options, memory and time of each preset, and stop")
	f.BoolVar(&r.bench, "bench", false, "measure training, evaluation and memory of the preset's network on random images, print one JSON object, and stop")
	complete(cmd)
}

// given returns the names of the flags on the command line.
func given(f *pflag.FlagSet) []string {
	var names []string
	f.Visit(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return names
}

// complete registers the completion of values. It fails only for a flag that
// is not there.
func complete(cmd *cobra.Command) {
	_ = cmd.MarkFlagDirname("outdir")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.RegisterFlagCompletionFunc("preset", cli.Choices(unet.PresetNames()))
	_ = cmd.RegisterFlagCompletionFunc("precond", cli.Choices(precond.Names()))
	_ = cmd.RegisterFlagCompletionFunc("loss", cli.Choices(loss.Names()))
	_ = cmd.RegisterFlagCompletionFunc("arch", cli.Choices(unet.ArchNames()))
	_ = cmd.RegisterFlagCompletionFunc("device", cli.Choices([]string{model.AnyDevice, model.CPUDevice, model.CUDADevice}))
	_ = cmd.RegisterFlagCompletionFunc("precision", cli.Choices(model.Precisions()))
}

// run executes the command line.
func (r *request) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if err := r.validate(); err != nil {
		return cli.Usage(err)
	}
	if r.bench {
		return r.benchmark(ctx, stdout)
	}
	if r.inspect {
		return r.inspectData(ctx, stdout)
	}
	c, ds, err := r.resolve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close(ds)) }()
	if err := r.remark(stderr, c); err != nil {
		return err
	}
	device, err := r.openDevice(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	if r.dryRun || ds.Len() <= verifyUpTo {
		if err := data.Verify(ds); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	}
	if r.dryRun {
		if err := r.checkTransfer(c, device, stderr); err != nil {
			return err
		}
		return advised(r.report(stdout, c, ds, device), "")
	}
	return r.train(ctx, stdout, stderr, c, ds, device)
}

// openDevice opens the configuration's device.
func (r *request) openDevice(c train.Config) (*model.Device, error) {
	d, err := model.OpenDevice(c.Device, r.threads, c.Precision)
	if err != nil {
		return nil, fmt.Errorf("--device: %w\n  --device cpu computes on the processor", err)
	}
	return d, nil
}

// validate returns every fault of the flags that are not in the configuration, joined.
func (r *request) validate() error {
	var errs []error
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{r.outdir == "", "--outdir is empty, want a folder"},
		{r.resolution < 0, fmt.Sprintf("--resolution is %d, want 0 (as stored) or more", r.resolution)},
		{r.channels != 0 && r.channels != 1 && r.channels != 3, fmt.Sprintf("--channels is %d, want 1 or 3", r.channels)},
		{r.preview < 0, fmt.Sprintf("--preview is %d, want 0 or more images", r.preview)},
		{r.threads < 0 || r.threads > model.MaxThreads, fmt.Sprintf("--threads is %d, want 0 to %d", r.threads, model.MaxThreads)},
		{r.resume != "" && r.transfer != "", "--transfer starts a new run: leave out --resume"},
		{r.inspect && r.resume != "", "--inspect looks at --data: leave out --resume"},
		{r.inspect && r.dryRun, "--inspect and --dry-run are two reports: choose one"},
		{r.resume != "" && r.desc != "", "--desc names a new run: leave out --resume"},
		{r.changed("resume") && r.resume == "", "--resume is empty, want a run folder, a state file or latest"},
	} {
		if c.bad {
			errs = append(errs, errors.New(c.text))
		}
	}
	if r.bench {
		errs = append(errs, r.checkBench())
	}
	return errors.Join(errs...)
}
