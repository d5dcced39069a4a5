package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"edm/internal/benchmark"
	"edm/internal/cli"
	"edm/model"
	"edm/train"
)

// figures is the output of --bench. A rate is the median of its rounds.
type figures struct {
	Preset  string `json:"preset"`
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"`

	TrainImgPerS   float64  `json:"train_img_per_s"`   // steps: D, loss, every gradient, Adam, average of the weights
	ForwardImgPerS float64  `json:"forward_img_per_s"` // evaluations of D
	PeakRSSMiB     *float64 `json:"peak_rss_mb"`       // MiB resident at most, of training; null where the system does not say
	GFLOPS         float64  `json:"gflops"`            // of training, convolutions counted as direct ones

	ForwardGFLOPS float64   `json:"forward_gflops"`
	FMAPeak       float64   `json:"fma_peak_gflops"` // of register-only multiply-adds on the same threads; on a GPU of register-only products in its precision
	TrainShare    float64   `json:"train_share_of_peak"`
	ForwardShare  float64   `json:"forward_share_of_peak"`
	TrainArenaMiB float64   `json:"train_arena_mb"` // MiB of a step's activations, gradients in flight and scratch
	TrainGFLOP    float64   `json:"train_gflop_per_img"`
	ForwardGFLOP  float64   `json:"forward_gflop_per_img"`
	TrainRounds   []float64 `json:"train_img_per_s_rounds"`
	ForwardRounds []float64 `json:"forward_img_per_s_rounds"`
	Parameters    int       `json:"parameters"`
	Resolution    int       `json:"resolution"`
	Channels      int       `json:"channels"`
	Recompute     []int     `json:"recompute"` // image sizes at which training computes blocks again; null for none
	Light         bool      `json:"recompute_light"`
	GPU           *onGPU    `json:"gpu,omitempty"`
	Kernels       string    `json:"kernels"`      // equal names give equal bits
	Instructions  string    `json:"instructions"` // instruction set in use, or the GPU
	Version       string    `json:"version"`
	Go            string    `json:"go"`
	Platform      string    `json:"platform"`
}

// onGPU is the part of the output that only a GPU has.
type onGPU struct {
	ProductPeaks map[string]float64 `json:"product_peak_gflops"` // of register-only products, by precision
	CopyPeak     float64            `json:"copy_peak_gb_per_s"`  // read and written by a copy within its memory
	Operations   []operation        `json:"operations"`          // of a training step, slowest first
}

// operation is the time of one kind of operation in a training step.
type operation struct {
	Name  string  `json:"name"`
	Calls int     `json:"calls"`
	Ms    float64 `json:"ms"`
	Limit string  `json:"limit"`         // products or memory
	Share float64 `json:"share_of_peak"` // of products in the run's precision, or of a copy: each array read or written once
}

// newOnGPU returns nil for a processor.
func newOnGPU(r benchmark.Result) *onGPU {
	if r.Peaks.Copy == 0 {
		return nil
	}
	g := &onGPU{ProductPeaks: map[string]float64{}, CopyPeak: digits(r.Peaks.Copy / 1e9)}
	for name, v := range r.Peaks.Products {
		g.ProductPeaks[name] = digits(v / 1e9)
	}
	for _, o := range r.Operations {
		g.Operations = append(g.Operations, operation{o.Name, o.Calls, digits(1e3 * o.Time.Seconds()), string(o.Limit), digits(o.Share)})
	}
	return g
}

// benchRounds is the number of timings whose median is printed.
const benchRounds = 5

// benchFlags returns the flags that --bench takes.
func benchFlags() []string {
	return []string{
		"bench", "preset", "batch", "threads", "resolution", "channels",
		"arch", "model-channels", "channel-mult", "num-blocks", "attn-resolutions", "dropout",
		"recompute", "recompute-light", "device", "precision",
	}
}

// checkBench returns an error for every flag that means nothing to --bench.
func (r *request) checkBench() error {
	var errs []error
	for _, name := range r.given {
		if !slices.Contains(benchFlags(), name) {
			errs = append(errs, fmt.Errorf("--%s has no effect with --bench: leave it out (it takes --%s)",
				name, strings.Join(benchFlags()[1:], ", --")))
		}
	}
	return errors.Join(errs...)
}

// benchmark is --bench: it times training steps and evaluations of a preset's
// network on random images and prints the figures.
func (r *request) benchmark(ctx context.Context, w io.Writer) (err error) {
	c, err := r.benchConfig()
	if err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return cli.Usage(err)
	}
	network, err := c.Model()
	if err != nil {
		return err
	}
	if r.threads > 0 {
		// The collector's own work stays on the threads that are measured.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(r.threads))
	}
	device, err := r.openDevice(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	work := benchmark.Config{
		Model: network, Batch: c.Batch, Recompute: model.Recompute{Levels: c.Recompute, Light: c.RecomputeLight},
	}
	result, err := benchmark.Measure(ctx, work, device, benchmark.Options{Rounds: benchRounds, Length: r.benchTime})
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(newFigures(c, result, device.Name()))
}

// benchConfig returns the configuration to measure: the preset's network for
// unlabelled images of its own size, under the flags. Without --batch a step is
// what the preset passes over the network at once.
func (r *request) benchConfig() (train.Config, error) {
	c, err := train.Preset(r.preset)
	if err != nil {
		return c, cli.Usagef("--preset: %w", err)
	}
	c.Batch, c.Cond, c.Classes, c.Augment = c.Micro, false, 0, 0
	for _, s := range r.settings {
		if r.changed(s.name) {
			s.copy(&c, &r.set)
		}
	}
	if r.changed("resolution") {
		c.Resolution = r.resolution
	}
	if r.changed("channels") {
		c.Channels = r.channels
	}
	if c.Batch < 1 {
		return c, cli.Usagef("--batch is %d, want at least 1 image", c.Batch)
	}
	c.Micro = c.Batch
	return c, nil
}

func newFigures(c train.Config, r benchmark.Result, kernels string) figures {
	return figures{
		Preset: c.Preset, Batch: r.Batch, Threads: r.Threads,
		TrainImgPerS: digits(r.Train.ImgPerS), ForwardImgPerS: digits(r.Forward.ImgPerS),
		PeakRSSMiB: memory(r.PeakRSSMiB), GFLOPS: digits(r.Train.GFLOPS),
		ForwardGFLOPS: digits(r.Forward.GFLOPS), FMAPeak: digits(r.FMAPeak),
		TrainShare: digits(r.Train.Share), ForwardShare: digits(r.Forward.Share),
		TrainArenaMiB: digits(float64(r.Train.ArenaBytes) / (1 << 20)),
		TrainGFLOP:    digits(r.Train.GFLOP), ForwardGFLOP: digits(r.Forward.GFLOP),
		TrainRounds: each(r.Train.Rounds), ForwardRounds: each(r.Forward.Rounds),
		Parameters: r.Parameters, Resolution: c.Resolution, Channels: c.Channels, Recompute: c.Recompute, Light: c.RecomputeLight,
		GPU: newOnGPU(r), Kernels: kernels, Instructions: r.Instructions,
		Version: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// digits returns the number to four digits: a timing has no more.
func digits(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-3)
	if unit < 1 {
		inverse := math.Round(1 / unit) // a whole number, so that 0.1 comes out as 0.1
		return math.Round(v*inverse) / inverse
	}
	return math.Round(v/unit) * unit
}

func each(values []float64) []float64 {
	var out []float64
	for _, v := range values {
		out = append(out, digits(v))
	}
	return out
}

// memory returns nil for a size that is not known.
func memory(mib float64) *float64 {
	if mib == 0 {
		return nil
	}
	mib = digits(mib)
	return &mib
}

// version returns the version that the command was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
