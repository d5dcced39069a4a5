// Package classifier is a small network that knows the class of noisy images,
// ln p(class | x; sigma), as the example of classifier guidance (Dhariwal &
// Nichol 2021, Sec. 4; Song et al. 2021, Sec. 5): a convolutional encoder that is
// told the noise level, trained on images at all of them. It is built of the
// same operations as the denoisers and runs on the same devices.
package classifier

import (
	"errors"
	"fmt"
	"math"

	"edm/model/precond"
)

// Config describes a classifier: the meaning of its weights.
type Config struct {
	Resolution    int     `json:"img_resolution"` // height and width of the images
	Channels      int     `json:"img_channels"`   // of the images
	Classes       int     `json:"label_dim"`
	ModelChannels int     `json:"model_channels"` // base number of channels
	ChannelMult   []int   `json:"channel_mult"`   // channels of each resolution, in units of ModelChannels
	SigmaData     float64 `json:"sigma_data"`     // standard deviation of the data, for c_in (EDM Table 1)
}

// DefaultConfig returns 32 channels at the images' size, 64 at half and 64 at a
// quarter, sigma_data 0.5, and no images or classes.
func DefaultConfig() Config {
	return Config{ModelChannels: 32, ChannelMult: []int{1, 2, 2}, SigmaData: 0.5}
}

// groupSize is the channels of a group of the normalisations.
const groupSize = 4

// Validate returns every fault of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("classifier: "+format, args...))
		}
	}
	levels := len(c.ChannelMult)
	check(levels >= 1 && levels <= 10, "channel_mult has %d levels, want 1 to 10", levels)
	for _, m := range c.ChannelMult {
		check(m >= 1 && m <= 64, "channel_mult holds %d, want 1 to 64", m)
	}
	check(c.Resolution >= 1 && c.Resolution <= 1<<14, "img_resolution is %d, want 1 to %d", c.Resolution, 1<<14)
	if levels >= 1 && levels <= 10 {
		factor := 1 << (levels - 1)
		check(c.Resolution%factor == 0, "img_resolution %d is not divisible by %d, which %d levels of channel_mult ask for",
			c.Resolution, factor, levels)
	}
	check(c.Channels >= 1 && c.Channels <= 1<<10, "img_channels is %d, want 1 to %d", c.Channels, 1<<10)
	check(c.Classes >= 2 && c.Classes <= 1<<16, "label_dim is %d, want 2 to %d", c.Classes, 1<<16)
	check(c.ModelChannels >= groupSize && c.ModelChannels <= 1<<12 && c.ModelChannels%groupSize == 0,
		"model_channels is %d, want a multiple of %d up to %d", c.ModelChannels, groupSize, 1<<12)
	check(c.SigmaData > 0 && !math.IsInf(c.SigmaData, 1), "sigma_data is %g, want a finite number above 0", c.SigmaData)
	return errors.Join(errs...)
}

// Dim returns the number of elements of one image.
func (c Config) Dim() int { return c.Channels * c.Resolution * c.Resolution }

// coeffs returns c_in and c_noise: those of the EDM preconditioning.
func (c Config) coeffs(sigma float64) (cIn, cNoise float32) {
	k := precond.EDM{SigmaData: c.SigmaData, SigmaMax: math.Inf(1)}.Coeffs(sigma)
	return float32(k.CIn), float32(k.CNoise)
}
