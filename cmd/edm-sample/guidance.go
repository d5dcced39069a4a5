package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"edm/internal/cli"
	"edm/internal/picture"
	"edm/sample"
	"edm/sample/generate"
	"edm/sample/guide"
)

// guidance has the flags of guidance.
type guidance struct {
	options guide.Options
	network string // snapshot or run folder of a guiding network; "" is classifier-free guidance
	asked   bool   // a weight was given
	partner *network
}

func (g *guidance) bind(f *pflag.FlagSet) {
	g.options = guide.DefaultOptions()
	f.Float64Var(&g.options.Weight, "guidance", g.options.Weight, "guidance `weight`: classifier-free, or by --guide; 1 is none, more follows the class more closely")
	f.StringVar(&g.network, "guide", "", "second `network`, worse than the first, to lead away from (autoguidance)")
	f.Float64Var(&g.options.SigmaLow, "guidance_low", 0, "guide above this noise `level` only (default 0)")
	f.Float64Var(&g.options.SigmaHigh, "guidance_high", g.options.SigmaHigh, "guide up to this noise `level` only")
}

// validate reports every fault that shows without a network, joined.
func (g *guidance) validate(changed func(string) bool) error {
	g.asked = changed("guidance")
	var errs []error
	if !g.asked {
		for _, flag := range []string{"guide", "guidance_low", "guidance_high"} {
			if changed(flag) {
				errs = append(errs, fmt.Errorf("--%s has no effect without --guidance: give a weight", flag))
			}
		}
	}
	if changed("guide") && g.network == "" {
		errs = append(errs, errors.New("--guide is empty, want a snapshot file or a run folder"))
	}
	if err := g.options.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--guidance: %w", err))
	}
	return errors.Join(errs...)
}

// apply returns the source with guidance, the source itself if none was asked
// for. main is the source's network.
func (g *guidance) apply(s generate.Source, main *network, batch int, load func(flag, path string) (*network, error)) (generate.Source, error) {
	if !g.asked {
		return s, nil
	}
	var err error
	if g.network == "" {
		s.Denoiser, err = g.classifierFree(s, main)
		return s, err
	}
	if g.partner, err = load("--guide", g.network); err != nil {
		return s, err
	}
	second, err := generate.FromModel(g.partner.model, g.partner.weights, batch)
	if err != nil {
		return s, fmt.Errorf("--guide: %w", err)
	}
	s.Denoiser, err = g.auto(s, second)
	return s, err
}

func (g *guidance) classifierFree(s generate.Source, main *network) (sample.Denoiser, error) {
	if s.Classes == 0 {
		return nil, cli.Usagef("--guidance: the network is unconditional, so there is no class to follow: give a second network with --guide, or train with --cond and --label-dropout")
	}
	if main.model.Config().Network.LabelDropout == 0 && g.options.Weight != 1 {
		return nil, cli.Usagef("--guidance: the network was trained without label dropout and does not know images without a class: train with --label-dropout 0.1, or give a second network with --guide")
	}
	d, err := guide.NewClassifierFree(s.Denoiser, g.options)
	return d, cli.Usage(err)
}

// auto joins two networks of like images.
func (g *guidance) auto(main, second generate.Source) (sample.Denoiser, error) {
	if main.Channels != second.Channels || main.Height != second.Height || main.Width != second.Width {
		return nil, cli.Usagef("--guide: its images are %dx%dx%d, those of the network %dx%dx%d: want two networks of the same data",
			second.Channels, second.Height, second.Width, main.Channels, main.Height, main.Width)
	}
	switch {
	case second.Classes == main.Classes:
	case second.Classes == 0:
		second.Denoiser = guide.WithoutLabels(second.Denoiser)
	default:
		return nil, cli.Usagef("--guide: it has %d classes, the network %d: want as many, or an unconditional guide", second.Classes, main.Classes)
	}
	d, err := guide.NewAuto(main.Denoiser, second.Denoiser, g.options)
	return d, cli.Usage(err)
}

// texts returns the guidance as texts of an image's file.
func (g *guidance) texts() []picture.Text {
	if !g.asked {
		return nil
	}
	texts := []picture.Text{{Key: "guidance", Value: decimal(g.options.Weight)}}
	if g.options.SigmaLow != 0 {
		texts = append(texts, picture.Text{Key: "guidance_low", Value: decimal(g.options.SigmaLow)})
	}
	if high := g.options.SigmaHigh; high != guide.DefaultOptions().SigmaHigh {
		texts = append(texts, picture.Text{Key: "guidance_high", Value: decimal(high)})
	}
	if g.partner != nil {
		texts = append(texts, picture.Text{Key: "guide_sha256", Value: g.partner.metadata[hashKey]})
	}
	return texts
}

// String describes guidance in a line.
func (g *guidance) String() string {
	text := fmt.Sprintf("classifier-free guidance, weight %g", g.options.Weight)
	if g.partner != nil {
		text = fmt.Sprintf("guided by %s, weight %g", g.partner.path, g.options.Weight)
	}
	if o, all := g.options, guide.DefaultOptions(); o.SigmaLow != all.SigmaLow || o.SigmaHigh != all.SigmaHigh {
		text += fmt.Sprintf(", at noise levels above %g and up to %g", o.SigmaLow, o.SigmaHigh)
	}
	return text
}
