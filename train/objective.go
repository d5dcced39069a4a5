package train

import (
	"fmt"
	"maps"

	"edm/data/augment"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
)

// augmentLabels is AugmentDim of a network that is trained with Augment: the
// labels of augment.Published.
const augmentLabels = 9

// OwnLoss returns the name of the objective that a preconditioning was published
// with (EDM Table 1).
func OwnLoss(name string) string {
	switch name {
	case precond.VPName:
		return loss.VPName
	case precond.VEName:
		return loss.VEName
	case precond.IDDPMName:
		return loss.DDPMCosineName
	}
	return loss.EDMName
}

// preconditioning returns the preconditioning with its constants.
func (c Config) preconditioning() (precond.Preconditioning, error) {
	params := map[string]float64{}
	if c.Precond == precond.EDMName {
		params["sigma_data"] = c.SigmaData
	}
	maps.Copy(params, c.PrecondParams)
	return precond.New(c.Precond, params)
}

// Objective returns the training objective with its constants.
func (c Config) Objective() (loss.Objective, error) {
	params := map[string]float64{}
	if c.Loss == loss.EDMName {
		params["P_mean"], params["P_std"], params["sigma_data"] = c.PMean, c.PStd, c.SigmaData
	}
	maps.Copy(params, c.LossParams)
	o, err := loss.New(c.Loss, params)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return o, nil
}

// Complete fills in options that a configuration may omit: the objective is that of
// the preconditioning, and every constant of both gets a value, those of edm in keys
// of their own (without its range where that has no limits). Files of earlier
// versions, which knew edm alone, keep their meaning. Validate reports the faults.
func (c *Config) Complete() {
	if c.Loss == "" {
		c.Loss = OwnLoss(c.Precond)
	}
	if c.Device == "" {
		c.Device = model.AnyDevice
	}
	if c.Precision == "" {
		c.Precision = model.DefaultPrecision
	}
	if c.Recompute == nil {
		c.Recompute = []int{} // as a file has it
	}
	c.coverScales()
	if p, err := c.preconditioning(); err == nil {
		c.PrecondParams = p.Params()
		if c.Precond == precond.EDMName {
			move(&c.SigmaData, c.PrecondParams, "sigma_data")
			unlimited := precond.DefaultEDM().Params()
			maps.DeleteFunc(c.PrecondParams, func(name string, v float64) bool { return v == unlimited[name] })
		}
	}
	if o, err := c.Objective(); err == nil {
		c.LossParams = o.Params()
		if c.Loss == loss.EDMName {
			move(&c.PMean, c.LossParams, "P_mean")
			move(&c.PStd, c.LossParams, "P_std")
			move(&c.SigmaData, c.LossParams, "sigma_data")
		}
	}
}

// coverScales lets the range of a VE network be that of the scales it is trained
// on, where it is not given.
func (c *Config) coverScales() {
	if c.Precond != precond.VEName || c.Loss != loss.NCSNName {
		return
	}
	o, err := c.Objective()
	if err != nil {
		return // reported by Validate
	}
	scales, params := o.Params(), maps.Clone(c.PrecondParams)
	if params == nil {
		params = map[string]float64{}
	}
	for _, name := range []string{"sigma_min", "sigma_max"} {
		if _, given := params[name]; !given {
			params[name] = scales[name]
		}
	}
	c.PrecondParams = params
}

// checkScales reports scales that the network does not support: training would
// take the nearest level that it does in their place.
func (c Config) checkScales() error {
	p, err := c.preconditioning()
	if err != nil || c.Loss != loss.NCSNName {
		return nil // reported by itself
	}
	o, err := c.Objective()
	if err != nil {
		return nil
	}
	low, high := p.SigmaRange()
	from, to := o.Params()["sigma_min"], o.Params()["sigma_max"]
	if from < low || to > high {
		return fmt.Errorf("train: loss ncsn has scales from %g to %g and precond %s supports %g to %g: change the range of either", from, to, c.Precond, low, high)
	}
	return nil
}

// move takes a constant out of params.
func move(to *float64, params map[string]float64, name string) {
	*to = params[name]
	delete(params, name)
}

// NeedsDistance reports whether the objective asks for the greatest distance
// between two images of the data: ncsn does where its sigma_max is not given.
func (c Config) NeedsDistance() bool {
	_, given := c.LossParams["sigma_max"]
	return c.Loss == loss.NCSNName && !given
}

// SetDistance takes the greatest distance between two images of the data, in
// [-1,1] units, for ncsn's sigma_max (Song & Ermon 2020, Technique 1), and a
// number of scales that suits it (Technique 2) where none is given.
func (c *Config) SetDistance(distance float64) {
	params := maps.Clone(c.LossParams)
	if params == nil {
		params = map[string]float64{}
	}
	params["sigma_max"] = distance
	low, given := params["sigma_min"]
	if !given {
		low = loss.DefaultNCSN().SigmaMin
	}
	if _, given := params["scales"]; !given && low > 0 && distance > low {
		params["scales"] = float64(loss.NCSNScales(c.Channels*c.Resolution*c.Resolution, low, distance))
	}
	c.LossParams = params
}

// pipe returns the augmentation, or nil for none.
func (c Config) pipe() (*augment.Pipe, error) {
	if c.Augment == 0 {
		return nil, nil
	}
	p, err := augment.New(augment.Published(c.Augment), c.Channels, c.Resolution)
	if err != nil {
		return nil, fmt.Errorf("train: augment: %w", err)
	}
	return p, nil
}

// checkPipe returns the fault of an augmentation with a valid probability.
func (c Config) checkPipe() error {
	if !(c.Augment >= 0 && c.Augment <= 1) || c.Resolution < 1 || c.Channels < 1 {
		return nil // reported by themselves
	}
	_, err := c.pipe()
	return err
}
