package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"edm/sample"
	"edm/sample/generate"
)

// inpainting is --inpaint: a part of an image drawn anew.
type inpainting struct {
	path, mask string
}

func (p *inpainting) bind(f *pflag.FlagSet) {
	f.StringVar(&p.path, inpaintMode, "", "keep this `image` but for what --mask says")
	f.StringVar(&p.mask, "mask", "", "with --inpaint, an `image` that is white where to draw anew and black where to keep")
}

func (p *inpainting) validate() error {
	var errs []error
	if p.path == "" {
		errs = append(errs, errors.New("--inpaint is empty, want an image file"))
	}
	if p.mask == "" {
		errs = append(errs, errors.New("--inpaint needs --mask: an image that is white where to draw anew"))
	}
	return errors.Join(errs...)
}

func (p *inpainting) name() string { return filepath.Base(p.path) }

// prepare returns a source that knows a part of its images.
func (p *inpainting) prepare(d *imageJob) (generate.Source, error) {
	known, err := readPixels(p.path, d.source)
	if err != nil {
		return d.source, fmt.Errorf("--inpaint: %w", err)
	}
	white, err := readPixels(p.mask, d.source)
	if err != nil {
		return d.source, fmt.Errorf("--mask: %w", err)
	}
	keep := make([]float64, len(white))
	for j, v := range white {
		keep[j] = min(max((1-v)/2, 0), 1)
	}
	s := d.source
	s.Denoiser, err = sample.Inpaint(s.Denoiser, known, keep)
	return s, err
}
