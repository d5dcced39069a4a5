// Package train is the training loop: draws by image number, gradients
// accumulated over microbatches, Adam with a learning-rate ramp-up, the
// exponential moving average of the weights, statistics, snapshots and states
// that resume bit for bit (EDM Sec. 5 and App. F.2).
package train

import (
	"errors"
	"fmt"
	"math"

	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// Config has every option that decides the numbers of a training run, and how often
// it reports and saves. Defaults are resolved from the preset, so the saved
// configuration repeats the run. Times are counted in images.
type Config struct {
	Data   string `yaml:"data"`   // dataset: "demo" or a path
	Preset string `yaml:"preset"` // where the other defaults came from
	Cond   bool   `yaml:"cond"`   // class-conditional

	Arch            string  `yaml:"arch"`             // "ddpmpp", "ncsnpp" or "adm"
	Resolution      int     `yaml:"resolution"`       // image height and width
	Channels        int     `yaml:"channels"`         // image channels
	Classes         int     `yaml:"classes"`          // classes, 0 unless cond
	ModelChannels   int     `yaml:"model_channels"`   // base width
	ChannelMult     []int   `yaml:"channel_mult"`     // width of each level, in units of ModelChannels
	NumBlocks       int     `yaml:"num_blocks"`       // residual blocks a level
	AttnResolutions []int   `yaml:"attn_resolutions"` // resolutions with attention
	Dropout         float64 `yaml:"dropout"`          // probability
	LabelDropout    float64 `yaml:"label_dropout"`    // probability of training an image without its label

	Precond       string             `yaml:"precond"`        // "edm", "vp", "ve" or "iddpm"
	PrecondParams map[string]float64 `yaml:"precond_params"` // its constants by name, but for sigma_data
	SigmaData     float64            `yaml:"sigma_data"`     // standard deviation of the data in [-1,1] units; of precond and loss edm
	Loss          string             `yaml:"loss"`           // "edm", "vp", "ve", "ddpm-linear", "ddpm-cosine" or "ncsn"
	LossParams    map[string]float64 `yaml:"loss_params"`    // its constants by name, but for those of edm
	PMean         float64            `yaml:"p_mean"`         // mean of ln sigma; of loss edm
	PStd          float64            `yaml:"p_std"`          // standard deviation of ln sigma; of loss edm

	Duration float64 `yaml:"duration"` // Mimg
	Batch    int     `yaml:"batch"`    // images a step
	Micro    int     `yaml:"micro"`    // images a pass over the network; divides Batch
	XFlip    bool    `yaml:"xflip"`    // random horizontal flips
	Augment  float64 `yaml:"augment"`  // probability of each augmentation; 0 is none
	Seed     uint64  `yaml:"seed"`
	Transfer string  `yaml:"transfer"` // snapshot whose weights a new run starts from; "" for none

	Device    string `yaml:"device"`    // "auto", "cpu", "cuda" or "cuda:N"
	Precision string `yaml:"precision"` // of a GPU's products: "fp32", "tf32" or "bf16"

	Recompute      []int `yaml:"recompute"`       // image sizes at which the insides of blocks are computed again for the gradients, not kept
	RecomputeLight bool  `yaml:"recompute_light"` // at every size, those of them that take no matrix product

	LR        float64 `yaml:"lr"`         // Adam learning rate
	LRRampup  float64 `yaml:"lr_rampup"`  // Mimg over which it rises from 0
	Beta1     float64 `yaml:"beta1"`      // Adam
	Beta2     float64 `yaml:"beta2"`      // Adam
	Eps       float64 `yaml:"eps"`        // Adam
	ClipNorm  float64 `yaml:"clip_norm"`  // global gradient norm limit; 0 is none
	EMA       float64 `yaml:"ema"`        // half-life of the weight average, Mimg
	EMARampup float64 `yaml:"ema_rampup"` // limits the half-life to this fraction of the images so far; 0 is no limit

	Validation int `yaml:"validation"` // images held out for the validation loss; 0 is none

	Tick int `yaml:"tick"` // kimg between log lines
	Snap int `yaml:"snap"` // ticks between snapshots; 0 only at the end
	Dump int `yaml:"dump"` // ticks between states; 0 only at the end
	Keep int `yaml:"keep"` // states kept
}

// Network returns the architecture: the structure of Arch with the options of the
// configuration.
func (c Config) Network() unet.Config {
	n := unet.DefaultConfig()
	n.Arch, n.ImgResolution, n.InChannels, n.OutChannels, n.LabelDim = c.Arch, c.Resolution, c.Channels, c.Channels, c.Classes
	n.ModelChannels, n.ChannelMult, n.NumBlocks, n.AttnResolutions = c.ModelChannels, c.ChannelMult, c.NumBlocks, c.AttnResolutions
	n.Dropout, n.LabelDropout = c.Dropout, c.LabelDropout
	if c.Augment > 0 {
		n.AugmentDim = augmentLabels
	}
	if c.Precond == precond.IDDPMName {
		n.OutChannels = 2 * c.Channels // predicted variances, as published; D leaves them out
	}
	if as, err := n.WithArch(c.Arch); err == nil { // Validate of the network names an unknown one
		n = as
	}
	return n
}

// Model returns the denoiser: the network inside its preconditioning.
func (c Config) Model() (model.Config, error) {
	p, err := c.preconditioning()
	if err != nil {
		return model.Config{}, fmt.Errorf("train: %w", err)
	}
	return model.Config{Network: c.Network(), Precond: p}, nil
}

// recompute returns the values that the training program computes again.
func (c Config) recompute() model.Recompute {
	return model.Recompute{Levels: c.Recompute, Light: c.RecomputeLight}
}

// TotalImages returns the number of images after which training stops, at the
// first whole batch: round(Duration * 1e6).
func (c Config) TotalImages() int64 { return int64(math.Round(c.Duration * 1e6)) }

// Validate returns every fault of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("train: "+format, args...))
		}
	}
	finite := func(name string, v, low float64) {
		fault(!(v >= low) || math.IsInf(v, 0), "%s is %v, want a number of at least %v", name, v, low)
	}
	fault(!(c.Duration > 0) || c.Duration > 1e6 || c.TotalImages() < 1, "duration is %v Mimg, want at least one image, 1e-6, and at most 1e6", c.Duration)
	fault(c.Batch < 1 || c.Batch > 1<<16, "batch is %d, want 1 to 65536", c.Batch)
	fault(c.Micro < 1 || (c.Batch > 0 && c.Batch%max(1, c.Micro) != 0), "micro is %d, want a divisor of batch (%d)", c.Micro, c.Batch)
	fault(!(c.LR > 0) || math.IsInf(c.LR, 0), "lr is %v, want a positive number", c.LR)
	for name, b := range map[string]float64{"beta1": c.Beta1, "beta2": c.Beta2} {
		fault(!(b >= 0 && b < 1), "%s is %v, want 0 <= beta < 1", name, b)
	}
	fault(!(c.Eps > 0) || math.IsInf(c.Eps, 0), "eps is %v, want a positive number", c.Eps)
	finite("lr_rampup", c.LRRampup, 0)
	finite("clip_norm", c.ClipNorm, 0)
	finite("ema", c.EMA, 0)
	finite("ema_rampup", c.EMARampup, 0)
	fault(c.Validation < 0, "validation is %d, want 0 or more images", c.Validation)
	fault(c.Tick < 1, "tick is %d, want at least 1 kimg", c.Tick)
	fault(c.Snap < 0 || c.Dump < 0, "snap and dump are %d and %d, want 0 or more ticks", c.Snap, c.Dump)
	fault(c.Keep < 1, "keep is %d, want at least 1 state", c.Keep)
	fault(!(c.Augment >= 0 && c.Augment <= 1), "augment is %v, want a probability from 0 to 1", c.Augment)
	fault(c.LabelDropout > 0 && !c.Cond, "label_dropout is %v without cond", c.LabelDropout)
	m, err := c.Model()
	if err == nil {
		err = m.Validate()
	}
	if err == nil {
		err = c.recompute().Check(m.Network)
	}
	_, lossErr := c.Objective()
	if device := model.CheckDevice(c.Device, c.Precision); device != nil {
		errs = append(errs, fmt.Errorf("train: %w", device))
	}
	return errors.Join(append(errs, err, lossErr, c.checkScales(), c.checkPipe())...)
}
