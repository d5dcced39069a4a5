package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"edm/internal/cli"
	"edm/internal/lab"
	"edm/model"
	"edm/sample"
	"edm/sample/generate"
)

// job has the parts that every call with a network needs: the options, the network,
// and the output streams.
type job struct {
	*options
	network        *network
	source         generate.Source
	fixed          int // class of all images, or -1
	stdout, stderr io.Writer
}

// run executes the options.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	if o.mode == toyMode {
		return o.toy.run(ctx, o.outdir, stdout)
	}
	device, err := model.OpenDevice(o.device, o.threads, o.precision)
	if err != nil {
		return fmt.Errorf("--device: %w\n  --device cpu computes on the processor", err)
	}
	s, err := newJob(o, device, stdout, stderr)
	if err == nil {
		err = s.run(ctx)
	}
	return advised(errors.Join(err, device.Close()))
}

func (s *job) run(ctx context.Context) error {
	switch s.mode {
	case trajectoryMode:
		return s.animate(ctx)
	case compareMode:
		return s.compareSamplers(ctx)
	case likelihoodMode:
		return s.measure(ctx)
	case invertMode:
		return s.invertImages(ctx)
	}
	return s.drawImages(ctx)
}

// newJob loads the networks that the options name.
func newJob(o *options, device *model.Device, stdout, stderr io.Writer) (*job, error) {
	s := &job{options: o, stdout: stdout, stderr: stderr}
	load := func(flag, path string) (*network, error) {
		return loadNetwork(flag, path, o.runs, device, s.tell)
	}
	var err error
	if s.network, err = load("--network", o.networkPath); err != nil {
		return nil, err
	}
	batch := min(o.batch, len(o.seeds.values))
	if s.source, err = generate.FromModel(s.network.model, s.network.weights, batch); err != nil {
		return nil, err
	}
	if s.fixed, err = fixedClass(o.class, s.source.Classes, s.network.classNames); err != nil {
		return nil, cli.Usage(err)
	}
	s.source, err = o.guidance.apply(s.source, s.network, batch, load)
	return s, err
}

// tell prints a line on the side.
func (s *job) tell(message string) { fmt.Fprintln(s.stderr, message) }

// sampling returns the options of the sampler, a budget turned into steps.
func (s *job) sampling() (sample.Settings, error) {
	o := s.sampler
	if s.nfe == 0 {
		return o, nil
	}
	steps, err := lab.StepsFor(s.source.Denoiser, o, s.nfe)
	if err != nil {
		return o, cli.Usagef("--nfe: %w", err)
	}
	o.NumSteps = steps
	return o, nil
}

// announce prints the network and the sampler before images are drawn.
func (s *job) announce(o sample.Settings, sampler *sample.Sampler) error {
	fmt.Fprintf(s.stdout, "network %s\n%s", s.network.path, o.Solver)
	if o.NumSteps > 0 {
		n, err := lab.Evaluations(s.source.Denoiser, o)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.stdout, ", %d steps, %d network evaluations an image", o.NumSteps, n)
	} else {
		fmt.Fprintf(s.stdout, ", steps by tolerance (rtol %g, atol %g)", o.RTol, o.ATol)
	}
	fmt.Fprintf(s.stdout, ", %s\n", character(o, sampler.Stochastic()))
	if s.guidance.asked {
		fmt.Fprintln(s.stdout, s.guidance.String())
	}
	for _, note := range sampler.Notes() {
		fmt.Fprintln(s.stdout, note)
	}
	return nil
}

// character says whether a sampler adds fresh noise.
func character(o sample.Settings, stochastic bool) string {
	text := "deterministic"
	if stochastic {
		text = "stochastic"
	}
	if info, err := sample.Describe(o.Solver); err == nil && info.Churn {
		text += fmt.Sprintf(" (S_churn=%g)", o.SChurn)
	}
	return text
}

// className returns the class of image i as text: its number and, if known, its
// name; "" for none.
func (s *job) className(classes []int, i int) string {
	if classes == nil {
		return ""
	}
	text := strconv.Itoa(classes[i])
	if names := s.network.classNames; names != nil {
		text += " " + names[classes[i]]
	}
	return text
}

// problem returns the images of seeds as the lab takes them.
func (s *job) problem(seeds []uint64) (lab.Problem, error) {
	classes := classesOf(seeds, s.fixed, s.source.Classes)
	labels, err := s.source.Labels(len(seeds), classes)
	return lab.Problem{Denoiser: s.source.Denoiser, Dim: s.source.Dim(), Seeds: seeds, Labels: labels}, err
}
