// Command edmbench is the project's side of the peer comparison of bench/: it
// runs training steps, evaluations and draws of a denoiser on request, so that a
// script can time two implementations in alternation with both of them warm.
// It also writes the outputs and gradients that the comparison checks first,
// and prints where the time goes.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"edm/checkpoints/safetensors"
	"edm/internal/atomicfile"
	"edm/internal/benchmark"
	"edm/model"
	"edm/unet"
)

// config has the values of the command line.
type config struct {
	network, preset string
	batch, threads  int
	device          string
	precision       string
	write, check    string
	profile         string
	steps           int
	by              string
}

const usage = `usage: edmbench -preset NAME|-network FILE [options]

Without -write, -check or -profile: read one JSON command a line from standard
input, {"do":"train","steps":3}, or forward or sample in its place, and answer
each with a line {"seconds":...,"images":...}. {"do":"peak","threads":2} gets the
processor's multiply-add peak, {"gflops":...}; {"do":"memory"} the MiB that the
process has of a GPU's memory, {"mib":...}. The first line written describes the
network and the kernels.

`

func main() {
	c, err := parse(os.Args[1:], os.Stderr)
	if err == flag.ErrHelp {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	if err := run(c, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "edmbench:", err)
		os.Exit(1)
	}
}

// parse reads the command line; faults are printed to w.
func parse(args []string, w io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("edmbench", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() {
		fmt.Fprint(w, usage)
		f.PrintDefaults()
	}
	f.StringVar(&c.network, "network", "", "snapshot `file` to run")
	f.StringVar(&c.preset, "preset", "", "network `name` to run with random weights instead: "+strings.Join(unet.PresetNames(), ", "))
	f.IntVar(&c.batch, "batch", 16, "images a step")
	f.IntVar(&c.threads, "threads", 0, "threads; 0 is one a logical processor")
	f.StringVar(&c.device, "device", model.CPUDevice, "`name` of what computes: cpu, auto, cuda or cuda:N")
	f.StringVar(&c.precision, "precision", model.DefaultPrecision, "`name` of how a GPU computes products: "+strings.Join(model.Precisions(), ", "))
	f.StringVar(&c.write, "write", "", "write the weights to a snapshot `file` and exit")
	f.StringVar(&c.check, "check", "", "write inputs, D, losses and gradients to a safetensors `file` and exit")
	f.StringVar(&c.profile, "profile", "", "print the time of every operation of `what` and exit: train, forward or both")
	f.IntVar(&c.steps, "steps", 5, "steps of a profile")
	f.StringVar(&c.by, "by", "kind", "rows of a profile: kind or shape")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if err := c.validate(f.Args()); err != nil {
		fmt.Fprintln(w, "edmbench:", err)
		return c, err
	}
	return c, nil
}

// validate returns the first fault of the command line.
func (c config) validate(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case (c.network == "") == (c.preset == ""):
		return fmt.Errorf("want either -network or -preset")
	case c.batch < 1 || c.steps < 1:
		return fmt.Errorf("-batch is %d and -steps %d, want at least 1", c.batch, c.steps)
	case c.threads < 0:
		return fmt.Errorf("-threads is %d, want 0 or more", c.threads)
	case c.profile != "" && c.profile != "train" && c.profile != "forward" && c.profile != "both":
		return fmt.Errorf("-profile is %q, want train, forward or both", c.profile)
	case c.by != "kind" && c.by != "shape":
		return fmt.Errorf("-by is %q, want kind or shape", c.by)
	}
	return model.CheckDevice(c.device, c.precision)
}

// run executes the command line.
func run(c config, in io.Reader, out io.Writer) error {
	if c.threads > 0 {
		// The collector's own work stays on the threads that are compared.
		runtime.GOMAXPROCS(c.threads)
	}
	device, err := model.OpenDevice(c.device, c.threads, c.precision)
	if err != nil {
		return err
	}
	defer device.Close()
	before, _ := device.FreeMemory()
	w, err := c.workload(device)
	if err != nil {
		return err
	}
	switch {
	case c.write != "":
		return writeFile(c.write, w.Snapshot)
	case c.check != "":
		return writeFile(c.check, w.Record)
	case c.profile != "":
		return c.print(out, w)
	}
	after, _ := device.FreeMemory()
	return (&server{w, device, before - after}).serve(in, out)
}

// workload loads the snapshot or makes the preset that the command line names.
func (c config) workload(device *model.Device) (*benchmark.Workload, error) {
	if c.network != "" {
		return benchmark.Open(c.network, c.batch, device)
	}
	m, err := benchmark.Preset(c.preset, c.batch)
	if err != nil {
		return nil, err
	}
	return benchmark.New(m, device)
}

// print writes where the time of a training step, an evaluation or both goes.
func (c config) print(out io.Writer, w *benchmark.Workload) error {
	for _, mode := range []benchmark.Mode{benchmark.Training, benchmark.Forward} {
		if c.profile != "both" && c.profile != string(mode) {
			continue
		}
		p, err := w.Profile(mode, c.steps, c.by == "shape")
		if err != nil {
			return err
		}
		if err := p.Print(out); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes contents to a file.
func writeFile(path string, contents func() (*safetensors.File, error)) error {
	f, err := contents()
	if err != nil {
		return err
	}
	err = atomicfile.Write(path, 0o644, func(w io.Writer) error { return safetensors.Write(w, f) })
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
