package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edm/checkpoints"
	"edm/data"
	"edm/internal/cli"
	"edm/model"
	"edm/train"
)

// report is --dry-run: it prints the configuration, and the memory and time of the run.
func (r *request) report(w io.Writer, c train.Config, ds data.Dataset, device *model.Device) error {
	text, err := c.YAML()
	if err != nil {
		return err
	}
	plan, err := train.Plan(c, device)
	if err != nil {
		return err
	}
	done, err := r.done()
	if err != nil {
		return err
	}
	left := max(c.TotalImages()-done, 0)
	fmt.Fprintf(w, "%s\n", text)
	fmt.Fprintf(w, "dataset     %s: %d images of %v, all readable\n", ds.Name(), ds.Len(), ds.Shape())
	fmt.Fprintf(w, "parameters  %d\n", plan.Parameters)
	fmt.Fprintf(w, "memory      %s: %s for a step of %d images, %s for weights, average, moments and gradients, %s for validation;\n"+
		"            the data set, the preview and the program itself come on top\n",
		cli.Bytes(plan.ArenaBytes+plan.StateBytes+plan.ValidationBytes), cli.Bytes(plan.ArenaBytes), c.Micro,
		cli.Bytes(plan.StateBytes), cli.Bytes(plan.ValidationBytes))
	if free, known := device.FreeMemory(); known && device.HasMemory() {
		fmt.Fprintf(w, "GPU         %s of its memory for that and for inputs on their way, about %s for kernels; %s are free\n",
			cli.Bytes(plan.DeviceBytes), cli.Bytes(plan.AllowanceBytes), cli.Bytes(free))
	}
	if err := printTrades(w, c, device); err != nil {
		return err
	}
	fmt.Fprintf(w, "work        %.3g GFLOP an image, forward and backward\n", plan.FlopsPerImage/1e9)
	fmt.Fprintf(w, "time        about %v for %d images at %s img/s on %s\n",
		cli.Left(left, 1/plan.SecondsPerImage), left, cli.Rate(1/plan.SecondsPerImage), device)
	return nil
}

// printTrades prints the memory and work of a step for each choice of --recompute.
func printTrades(w io.Writer, c train.Config, device *model.Device) error {
	trades, err := train.Trades(c, device)
	if err != nil {
		return err
	}
	label := "recompute"
	for _, t := range trades {
		fmt.Fprintf(w, "%-11s %-26s %8s for a step, %2.0f%% more operations\n", label, recomputeFlags(t.Recompute), cli.Bytes(t.ArenaBytes), 100*t.Work)
		label = ""
	}
	return nil
}

// recomputeFlags returns the flags that ask for r.
func recomputeFlags(r model.Recompute) string {
	switch {
	case r.Light:
		return "--recompute-light"
	case len(r.Levels) > 0:
		return "--recompute " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(r.Levels)), ","), "[]")
	}
	return "nothing"
}

// done returns how many images the run to resume has seen, by its newest state
// or the one that is named.
func (r *request) done() (int64, error) {
	if r.resume == "" {
		return 0, nil
	}
	dir, file := r.resume, ""
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		dir, file = filepath.Split(dir)
	}
	states, err := checkpoints.List(filepath.Clean(dir), checkpoints.State)
	if err != nil {
		return 0, err
	}
	for _, s := range slices.Backward(states) {
		if file == "" || filepath.Base(s.Path) == file {
			return s.NImg, nil
		}
	}
	return 0, nil
}
