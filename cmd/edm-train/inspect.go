package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"edm/data"
	"edm/internal/cli"
	"edm/loss"
	"edm/model"
	"edm/train"
)

// inspectData is --inspect: the contents of the data, suggestions, and the cost of each// preset would take for it.
func (r *request) inspectData(ctx context.Context, w io.Writer) (err error) {
	c, _, err := r.layered()
	if err != nil {
		return err
	}
	ds, err := openData(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close(ds)) }()
	report, err := data.Inspect(ctx, ds, data.DefaultInspectOptions())
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	device, err := r.openDevice(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	printFigures(w, report)
	printSuggestions(w, report)
	return printPresets(ctx, w, ds, device)
}

// printFigures prints the report.
func printFigures(w io.Writer, r data.Report) {
	fmt.Fprintf(w, "dataset     %s: %d images of %v\n", r.Name, r.Images, r.Shape)
	if len(r.ClassSizes) > 0 {
		fmt.Fprintf(w, "classes     %d, of %d to %d images", len(r.ClassSizes), slices.Min(r.ClassSizes), slices.Max(r.ClassSizes))
		if r.Unlabelled > 0 {
			fmt.Fprintf(w, "; %d images have no label", r.Unlabelled)
		}
		fmt.Fprintln(w)
	} else {
		fmt.Fprintln(w, "classes     none")
	}
	var each []string
	for _, m := range r.Channels {
		each = append(each, fmt.Sprintf("%.4f +- %.4f", m.Mean, m.Std))
	}
	fmt.Fprintf(w, "channels    %s (mean and standard deviation, pixels from -1 to 1)\n", strings.Join(each, ", "))
	fmt.Fprintf(w, "all values  mean %.4f, standard deviation %.4f: the measured sigma_data\n", r.Mean, r.SigmaData)
	fmt.Fprintf(w, "images      %d of one colour, %d equal to an earlier one\n", r.Constant, r.Duplicates)
	if d := r.MaxDistance; d.Exact {
		fmt.Fprintf(w, "distance    %.3f at most, between images %d and %d\n", d.Upper, d.Pair[0], d.Pair[1])
	} else {
		fmt.Fprintf(w, "distance    %.3f to %.3f at most\n", d.Lower, d.Upper)
	}
}

// printSuggestions prints options that suit the data.
func printSuggestions(w io.Writer, r data.Report) {
	s := suggest(r)
	fmt.Fprintf(w, "\nsuggested   --sigma-data %.2g --batch %d --lr %g --lr-rampup %g\n", s.sigmaData, s.batch, s.lr, s.rampup)
	fmt.Fprintf(w, "            (a run shorter than %.3g Mimg: a twentieth of it for --lr-rampup)\n", 20*s.rampup)
	fmt.Fprintf(w, "            sigma_max %.3g for --loss ncsn, which then has %d scales\n", s.sigmaMax, s.scales)
}

// suggestion is the proposal of --inspect for a dataset.
type suggestion struct {
	sigmaData, sigmaMax, lr, rampup float64
	batch, scales                   int
}

// suggest derives options from the published runs (EDM Table 7): 512 images a
// step at rate 1e-3 for 50,000 images of 32 pixels, 256 at 2e-4 for 70,000 of 64,
// and a ramp-up of 200 passes over the data, at most 10 Mimg. A batch is about a
// hundredth of the data, so that small sets are not seen whole in a few steps.
func suggest(r data.Report) suggestion {
	s := suggestion{sigmaData: r.SigmaData, sigmaMax: r.SigmaMax(), lr: 1e-3}
	top := 512
	if r.Shape.Height > 32 {
		top, s.lr = 256, 2e-4
	}
	for s.batch = 8; s.batch < top && 100*s.batch < r.Images; {
		s.batch *= 2
	}
	s.rampup = min(10, 200*float64(r.Images)/1e6)
	if low := loss.DefaultNCSN().SigmaMin; s.sigmaMax > low {
		s.scales = loss.NCSNScales(r.Shape.Len(), low, s.sigmaMax)
	}
	return s
}

// printPresets prints the memory and time of each preset: the smallest is timed, and
// the others have its rate of work.
func printPresets(ctx context.Context, w io.Writer, ds data.Dataset, device *model.Device) error {
	rate, err := measuredRate(device)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\npresets for this data, at %.3g GFLOP/s as measured with a small network (large ones run faster); times are estimates\n", rate/1e9)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "preset\tparameters\tmemory\tfits\tMimg\ttime")
	free, known := device.FreeMemory()
	var unfit []string
	for _, c := range presets() {
		if err := ctx.Err(); err != nil {
			return err
		}
		c = forData(c, ds)
		plan, err := train.Estimate(c, device)
		if err != nil {
			unfit = append(unfit, fmt.Sprintf("%s is not for this data: %v", c.Preset, err))
			continue
		}
		need := plan.ArenaBytes + plan.StateBytes + plan.ValidationBytes
		if device.HasMemory() {
			need = plan.DeviceBytes + plan.AllowanceBytes
		}
		fits := "yes"
		if known && need > free {
			fits = "no, " + cli.Bytes(free) + " free"
		}
		took := plan.FlopsPerImage / rate * float64(c.TotalImages())
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%g\t%s\n", c.Preset, plan.Parameters, cli.Bytes(need), fits, c.Duration, span(took))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range unfit {
		fmt.Fprintln(w, line)
	}
	return nil
}

// measuredRate returns the floating-point operations a second in training the
// smallest preset.
func measuredRate(device *model.Device) (float64, error) {
	c, err := train.Preset("demo")
	if err != nil {
		return 0, err
	}
	c.Validation = 0
	plan, err := train.Plan(c, device)
	if err != nil {
		return 0, err
	}
	return plan.FlopsPerImage / plan.SecondsPerImage, nil
}

// forData returns a preset as it would be for a dataset.
func forData(c train.Config, ds data.Dataset) train.Config {
	c.Cond = c.Cond && ds.NumClasses() > 0
	c.SetData(ds)
	return c
}

// span returns a time in the unit that suits it.
func span(seconds float64) string {
	for _, u := range []struct {
		name    string
		seconds float64
	}{{"years", 365 * 86400}, {"days", 86400}, {"hours", 3600}, {"minutes", 60}} {
		if seconds >= 2*u.seconds {
			return fmt.Sprintf("%.3g %s", seconds/u.seconds, u.name)
		}
	}
	return fmt.Sprintf("%.3g seconds", seconds)
}
