package netpkl

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// The parameters of the published constructors, in order.
const (
	vpParameters    = "img_resolution img_channels label_dim use_fp16 beta_d beta_min M epsilon_t model_type"
	veParameters    = "img_resolution img_channels label_dim use_fp16 sigma_min sigma_max model_type"
	iddpmParameters = "img_resolution img_channels label_dim use_fp16 C_1 C_2 M model_type"
	edmParameters   = "img_resolution img_channels label_dim use_fp16 sigma_min sigma_max sigma_data model_type"

	dhariwalParameters = "img_resolution in_channels out_channels label_dim augment_dim model_channels channel_mult" +
		" channel_mult_emb num_blocks attn_resolutions dropout label_dropout"
	songParameters = dhariwalParameters +
		" embedding_type channel_mult_noise encoder_type decoder_type resample_filter"
)

// networkName is the preconditioner's one member.
const networkName = "model"

// configure returns the denoiser that the modules' attributes describe.
func configure(t *tree) (model.Config, error) {
	var c model.Config
	outer, inner := t.find(""), t.find(networkName)
	if inner == nil {
		return c, fmt.Errorf("%s has no member %q: not a preconditioned network", outer.class, networkName)
	}
	p, images, err := preconditioning(outer)
	if err != nil {
		return c, err
	}
	if c.Network, err = network(inner); err != nil {
		return c, err
	}
	c.Precond = p
	if err := images.agree(c.Network); err != nil {
		return c, err
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("a network that this program does not build: %w", err)
	}
	return c, nil
}

// images are the preconditioner's attributes of its images.
type images struct{ resolution, channels, labels, outChannels int }

// agree holds the network inside to it.
func (w images) agree(n unet.Config) error {
	var errs []error
	for _, f := range []struct {
		name      string
		want, got int
	}{
		{"img_resolution", w.resolution, n.ImgResolution},
		{"in_channels", w.channels, n.InChannels},
		{"out_channels", w.outChannels, n.OutChannels},
		{"label_dim", w.labels, n.LabelDim},
	} {
		if f.want != f.got {
			errs = append(errs, fmt.Errorf("%s of the network is %d, its preconditioning asks for %d", f.name, f.got, f.want))
		}
	}
	return errors.Join(errs...)
}

// constants are the numbers of a preconditioning with their published values.
type constants map[string]float64

// preconditioning reads the outer object.
func preconditioning(m *module) (precond.Preconditioning, images, error) {
	var name, parameters string
	var published constants
	outFactor := 1
	switch m.class {
	case "EDMPrecond":
		name, parameters = precond.EDMName, edmParameters
		published = constants{"sigma_min": 0, "sigma_max": math.Inf(1), "sigma_data": 0.5}
	case "VPPrecond":
		name, parameters = precond.VPName, vpParameters
		published = constants{"beta_d": 19.9, "beta_min": 0.1, "M": 1000, "epsilon_t": 1e-5}
	case "VEPrecond":
		name, parameters = precond.VEName, veParameters
		published = constants{"sigma_min": 0.02, "sigma_max": 100}
	case "iDDPMPrecond":
		name, parameters, outFactor = precond.IDDPMName, iddpmParameters, 2
		published = constants{"C_1": 0.001, "C_2": 0.008, "M": 1000}
	default:
		return nil, images{}, fmt.Errorf("the object is of class %s, want EDMPrecond, VPPrecond, VEPrecond or iDDPMPrecond", m.class)
	}
	a, err := settings(m, parameters)
	if err != nil {
		return nil, images{}, err
	}
	for constant, value := range published {
		published[constant] = a.number(constant, value)
	}
	w := images{resolution: a.integer("img_resolution", 0), channels: a.integer("img_channels", 0), labels: a.integer("label_dim", 0)}
	w.outChannels = outFactor * w.channels
	if err := a.err(); err != nil {
		return nil, w, err
	}
	p, err := precond.New(name, published)
	return p, w, err
}

// network reads the object inside.
func network(m *module) (unet.Config, error) {
	switch m.class {
	case "SongUNet":
		return song(m)
	case "DhariwalUNet":
		return dhariwal(m)
	}
	return unet.Config{}, fmt.Errorf("the network is of class %s, want SongUNet or DhariwalUNet", m.class)
}

// song reads a DDPM++ or NCSN++ network. They are one class; the noise embedding
// tells which.
func song(m *module) (unet.Config, error) {
	a, err := settings(m, songParameters)
	if err != nil {
		return unet.Config{}, err
	}
	c := shape(a, songParameters)
	c.ModelChannels = a.integer("model_channels", 128)
	c.ChannelMult = a.integers("channel_mult", 1, 2, 2, 2)
	c.NumBlocks = a.integer("num_blocks", 4)
	c.AttnResolutions = a.integers("attn_resolutions", 16)
	c.EmbeddingType = a.text("embedding_type", "positional")
	c.ChannelMultNoise = a.integer("channel_mult_noise", 1)
	c.EncoderType = a.text("encoder_type", "standard")
	c.DecoderType = a.text("decoder_type", "standard")
	c.ResampleFilter = a.numbers("resample_filter", 1, 1)
	c.Arch = unet.DDPMPP
	if c.EmbeddingType == "fourier" {
		c.Arch = unet.NCSNPP
	}
	return c, a.err()
}

// dhariwal reads an ADM network.
func dhariwal(m *module) (unet.Config, error) {
	a, err := settings(m, dhariwalParameters)
	if err != nil {
		return unet.Config{}, err
	}
	c := shape(a, dhariwalParameters)
	c.Arch = unet.ADM
	c.ModelChannels = a.integer("model_channels", 192)
	c.ChannelMult = a.integers("channel_mult", 1, 2, 3, 4)
	c.NumBlocks = a.integer("num_blocks", 3)
	c.AttnResolutions = a.integers("attn_resolutions", 32, 16, 8)
	c.EmbeddingType, c.ChannelMultNoise = "positional", 1
	c.EncoderType, c.DecoderType, c.ResampleFilter = "standard", "standard", []float64{1, 1}
	return c, a.err()
}

// shape reads the attributes that both networks have with equal defaults.
func shape(a *attributes, parameters string) unet.Config {
	if extra := a.unknown(parameters); len(extra) > 0 {
		a.errs = append(a.errs, fmt.Errorf("%s: unknown arguments %s", a.of, strings.Join(extra, ", ")))
	}
	return unet.Config{
		ImgResolution: a.integer("img_resolution", 0), InChannels: a.integer("in_channels", 0), OutChannels: a.integer("out_channels", 0),
		LabelDim: a.integer("label_dim", 0), AugmentDim: a.integer("augment_dim", 0), ChannelMultEmb: a.integer("channel_mult_emb", 4),
		Dropout: a.number("dropout", 0.1), LabelDropout: a.number("label_dropout", 0),
	}
}
