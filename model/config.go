// Package model is the denoiser D(x; sigma) = c_skip x + c_out F(c_in x;
// c_noise) (EDM Eq. 7) as one Gorgonia graph around a network of package unet,
// and the programs compiled from it: evaluation, training with gradients, and
// the loss alone. Training and every sampler run the same graph.
package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"edm/model/precond"
	"edm/unet"
)

// Config describes a denoiser: the meaning of its weights.
type Config struct {
	Network unet.Config
	Precond precond.Preconditioning
}

// Validate returns every fault of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Precond == nil {
		errs = append(errs, errors.New("model: no preconditioning"))
	}
	if in, out := c.Network.InChannels, c.Network.OutChannels; c.narrows() {
		if c.Precond != nil && c.Precond.Name() != precond.IDDPMName {
			errs = append(errs, fmt.Errorf("model: network has %d channels in and %d out, which only %s networks may, want equal numbers",
				in, out, precond.IDDPMName))
		}
	} else if in != out {
		errs = append(errs, fmt.Errorf("model: network has %d channels in and %d out, want equal numbers (or twice as many for %s)",
			in, out, precond.IDDPMName))
	}
	return errors.Join(append(errs, c.Network.Validate())...)
}

// narrows reports whether F has twice the image's channels, of which D uses the
// first half: iDDPM's networks predict variances with the others (Nichol &
// Dhariwal 2021, Sec. 3.1).
func (c Config) narrows() bool { return c.Network.OutChannels == 2*c.Network.InChannels }

// Dim returns the number of elements of one image.
func (c Config) Dim() int {
	return c.Network.InChannels * c.Network.ImgResolution * c.Network.ImgResolution
}

// configJSON is Config as snapshots hold it. An infinite constant has no JSON
// number and is left out: it is the default.
type configJSON struct {
	Network unet.Config        `json:"network"`
	Precond string             `json:"precond"`
	Params  map[string]float64 `json:"precond_params"`
}

// MarshalJSON writes the configuration as snapshots hold it.
func (c Config) MarshalJSON() ([]byte, error) {
	if c.Precond == nil {
		return nil, errors.New("model: no preconditioning")
	}
	params := c.Precond.Params()
	for name, v := range params {
		if math.IsInf(v, 0) {
			delete(params, name)
		}
	}
	return json.Marshal(configJSON{c.Network, c.Precond.Name(), params})
}

// UnmarshalJSON reads the output of MarshalJSON.
func (c *Config) UnmarshalJSON(data []byte) error {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	p, err := precond.New(j.Precond, j.Params)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	c.Network, c.Precond = j.Network, p
	return nil
}
