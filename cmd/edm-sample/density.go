package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"edm/sample/likelihood"
)

// density is --likelihood and --invert: the ODE from images to noise.
type density struct {
	data    string // dataset; one of the two flags' value
	count   int    // images
	probes  int    // of --likelihood
	latents string // file of --invert, or ""
	options likelihood.Options
}

func (d *density) bind(f *pflag.FlagSet) {
	f.StringVar(&d.data, likelihoodMode, "", "measure the bits/dim of this `dataset`'s images under the network instead (paths as for edm-train --data)")
	f.StringVar(&d.data, invertMode, "", "turn this `dataset`'s images into latents and back instead, and report the error")
	f.IntVar(&d.count, "count", 16, "`images` of the dataset, always the same ones")
	f.IntVar(&d.probes, "probes", 1, "with --likelihood, random `vectors` an image to estimate the divergence with")
	f.StringVar(&d.latents, "save_latents", "", "with --invert, write the latents to this safetensors `file`")
}

// validate fills the options, with the path from asked, and returns every fault,
// joined.
func (d *density) validate(mode string, asked design, changed func(string) bool) error {
	var errs []error
	if d.data == "" {
		errs = append(errs, fmt.Errorf("--%s is empty, want a dataset", mode))
	}
	if d.count < 1 {
		errs = append(errs, fmt.Errorf("--count is %d, want at least 1", d.count))
	}
	if changed("save_latents") && d.latents == "" {
		errs = append(errs, errors.New("--save_latents is empty, want a file"))
	}
	d.options = likelihood.DefaultOptions()
	d.options.Probes = d.probes
	d.options.Path = pathOf(asked)
	return errors.Join(append(errs, d.options.Validate())...)
}

// pathOf returns the default path with the settings that were asked for; their
// texts have been checked.
func pathOf(asked design) likelihood.Path {
	p := likelihood.DefaultPath()
	o, _ := design{}.options()
	o.NumSteps, o.SigmaMin, o.SigmaMax, o.Rho, o.Solver = p.Steps, p.SigmaMin, p.SigmaMax, p.Rho, p.Solver
	for name, text := range asked {
		if s, ok := settingByName(name); ok {
			_ = s.set(&o, text)
		}
	}
	return likelihood.Path{Solver: o.Solver, Steps: o.NumSteps, SigmaMin: o.SigmaMin, SigmaMax: o.SigmaMax, Rho: o.Rho}
}

// announceWay prints the coming computation.
func (s *job) announceWay(im *images, nfe int, notes []string) {
	p := s.density.options.Path
	fmt.Fprintf(s.stdout, "network %s\n%d images of %s, %s, %d steps, %d evaluations an image\n",
		s.network.path, im.Len(), im.Name(), p.Solver, p.Steps, nfe)
	for _, note := range notes {
		fmt.Fprintln(s.stdout, note)
	}
}
