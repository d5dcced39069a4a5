package classifier

import (
	"context"
	"errors"
	"fmt"
	"math"

	"edm/internal/rng"
	"edm/model"
)

// TrainOptions are those of Train.
type TrainOptions struct {
	Images int     // how many are drawn in all
	Batch  int     // images of a step
	LR     float64 // of Adam; it falls linearly to 0
	// Noise levels are drawn with ln sigma ~ N(PMean, PStd^2).
	PMean, PStd float64
	Seed        uint64
	// Hook, if not nil, is told the mean loss of every step, in nats, and the
	// images drawn so far. An error from it ends the training.
	Hook func(images int, loss float64) error
}

// DefaultTrainOptions returns 200,000 images in batches of 64 at learning rate
// 2e-3, and noise levels with a median of 0.5, two thirds of them within a
// factor of 4: those at which an image's class is decided.
func DefaultTrainOptions() TrainOptions {
	return TrainOptions{Images: 200_000, Batch: 64, LR: 2e-3, PMean: math.Log(0.5), PStd: 1.4}
}

// Validate reports every option that makes no sense, joined into one error.
func (o TrainOptions) Validate() error {
	var errs []error
	if o.Images < 1 {
		errs = append(errs, fmt.Errorf("images is %d, want at least 1", o.Images))
	}
	if o.Batch < 1 {
		errs = append(errs, fmt.Errorf("batch is %d, want at least 1", o.Batch))
	}
	if !(o.LR > 0) || math.IsInf(o.LR, 1) {
		errs = append(errs, fmt.Errorf("learning rate is %g, want a finite number above 0", o.LR))
	}
	if math.IsNaN(o.PMean) || math.IsInf(o.PMean, 0) {
		errs = append(errs, fmt.Errorf("the P_mean is %g, want a finite number", o.PMean))
	}
	if !(o.PStd >= 0) || math.IsInf(o.PStd, 1) {
		errs = append(errs, fmt.Errorf("the P_std is %g, want a finite number of at least 0", o.PStd))
	}
	return errors.Join(errs...)
}

// Train returns a classifier of the given images, [N,C,H,W] in [-1, 1], and their
// classes, from 0 on. The same arguments give the same bits on one kind of
// device.
func Train(ctx context.Context, c Config, d *model.Device, images []float32, labels []int, o TrainOptions) (*Classifier, error) {
	if err := errors.Join(o.Validate(), c.Validate()); err != nil {
		return nil, fmt.Errorf("classifier: train: %w", err)
	}
	if err := checkSet(c, images, labels); err != nil {
		return nil, fmt.Errorf("classifier: train: %w", err)
	}
	k, err := newClassifier(c, d, o.Seed)
	if err != nil {
		return nil, err
	}
	t, err := newTrainer(k, o)
	if err != nil {
		return nil, err
	}
	defer t.release()
	for step := range (o.Images + o.Batch - 1) / o.Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t.draw(images, labels, uint64(step*o.Batch))
		if err := t.step(int64(step)); err != nil {
			return nil, fmt.Errorf("classifier: train: after %d images: %w", step*o.Batch, err)
		}
	}
	if err := d.Download(t.weights); err != nil {
		return nil, fmt.Errorf("classifier: train: %w", err)
	}
	copy(k.weights, t.weights)
	return k, nil
}

// checkSet returns the faults of a labelled set.
func checkSet(c Config, images []float32, labels []int) error {
	if len(labels) == 0 || len(images) != len(labels)*c.Dim() {
		return fmt.Errorf("%d labels and %d elements of images, want %d elements for each of at least one", len(labels), len(images), c.Dim())
	}
	for i, l := range labels {
		if l < 0 || l >= c.Classes {
			return fmt.Errorf("image %d has label %d, want 0 to %d", i, l, c.Classes-1)
		}
	}
	return nil
}

// trainer is the state of training. The optimiser's pass keeps an average of
// the weights, ema; the last weights, not it, are the result.
type trainer struct {
	options                  TrainOptions
	device                   *model.Device
	program                  *program
	weights, ema, m, v, grad []float32
	noise                    []float32
}

func newTrainer(c *Classifier, o TrainOptions) (*trainer, error) {
	t := &trainer{options: o, device: c.device, noise: make([]float32, c.config.Dim())}
	for _, b := range []*[]float32{&t.weights, &t.ema, &t.m, &t.v, &t.grad} {
		*b = make([]float32, c.layout.Size)
	}
	copy(t.weights, c.weights)
	err := t.device.Mirror(t.flat()...)
	if err != nil {
		return nil, fmt.Errorf("classifier: train: %w", err)
	}
	if t.program, err = newProgram(c.device, c.config, c.layout, t.weights, t.grad, o.Batch, learn); err != nil {
		return nil, errors.Join(err, t.device.Release(t.flat()...))
	}
	for i := range t.program.cotangent {
		t.program.cotangent[i] = 1 / float32(o.Batch)
	}
	return t, nil
}

// flat returns the flat buffers.
func (t *trainer) flat() [][]float32 { return [][]float32{t.weights, t.ema, t.m, t.v, t.grad} }

// release gives the device's memory back. After a fault of the device it fails
// too, which says nothing new.
func (t *trainer) release() {
	_ = t.program.Close()
	_ = t.device.Release(t.flat()...)
}

// draw fills the batch that starts at image number first: each is a function of
// the seed and its number.
func (t *trainer) draw(images []float32, labels []int, first uint64) {
	p, dim, classes := t.program, len(t.noise), t.program.config.Classes
	clear(p.target)
	for i := range t.options.Batch {
		number := first + uint64(i)
		choice, level := rng.New(t.options.Seed, rng.DataOrder, number), rng.New(t.options.Seed, rng.Sigma, number)
		from := choice.Intn(len(labels))
		sigma := math.Exp(t.options.PMean + t.options.PStd*level.Normal())
		p.setSigma(i, sigma)
		p.target[i*classes+labels[from]] = 1
		rng.FillNormal(t.noise, t.options.Seed, rng.Noise, number)
		for j, v := range images[from*dim : (from+1)*dim] {
			p.x[i*dim+j] = v + float32(sigma)*t.noise[j]
		}
	}
}

// step takes step number s, from 0, with the batch drawn.
func (t *trainer) step(s int64) error {
	if err := t.program.RunAll(); err != nil {
		return err
	}
	var loss float64
	for _, v := range t.program.losses {
		loss += float64(v) / float64(t.options.Batch)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("the loss is %g: lower the learning rate", loss)
	}
	done := float64(s) * float64(t.options.Batch) / float64(t.options.Images)
	err := t.device.Adam(model.Update{
		LR: t.options.LR * (1 - done), Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Step: s + 1, GradScale: 1,
	}, t.weights, t.ema, t.m, t.v, t.grad)
	if err != nil {
		return err
	}
	if t.options.Hook == nil {
		return nil
	}
	return t.options.Hook(int(s+1)*t.options.Batch, loss)
}
