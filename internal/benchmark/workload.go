// Package benchmark is the work that every measurement of the project times:
// training steps, evaluations and draws of a denoiser on random inputs. The
// comparisons (bench/), edm-train --bench and docs/performance.md all measure it
// here, so that their figures are figures of the same thing.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"edm/checkpoints/safetensors"
	"edm/internal/engine"
	"edm/internal/rng"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// seed of every random input and weight.
const seed = 1

// Mode is the kind of step that is timed.
type Mode string

// The modes.
const (
	Training Mode = "train"   // one step: D, loss, gradient of every parameter, Adam, average of the weights
	Forward  Mode = "forward" // one evaluation of D, as in sampling
	Sampling Mode = "sample"  // the batch drawn from noise: NFE evaluations of D, and the solver between them
)

// Workload is a denoiser with weights and inputs of one batch size. What only
// training or only evaluation needs is made at first use: the memory of a
// process that does one of them is that of this one. A Workload is for one
// goroutine at a time.
type Workload struct {
	device  *model.Device
	model   *model.Model
	weights []float32
	batch   int
	again   model.Recompute

	denoiser *model.Denoiser // nil before the first evaluation and after the weights changed
	x, d     []float64
	sampling *sampling // of the denoiser, nil with it
	training *training
}

// training is the state of the optimiser and the batches it sees by turns: each
// step's images are new to the device, as in training.
type training struct {
	loss          *model.Loss
	batches       [2]model.Batch
	losses        []float64
	grad, ema     []float32
	moment1, mom2 []float32
	step          int64
}

// Open returns the workload of a snapshot file for a number of images.
func Open(path string, batch int, d *model.Device) (*Workload, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, weights, err := model.FromSnapshot(f, d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f = nil
	debug.FreeOSMemory() // the file's bytes are not part of the measurement
	return newWorkload(m, weights, batch, d)
}

// Config describes a workload.
type Config struct {
	Model     model.Config
	Batch     int             // images of a step
	Recompute model.Recompute // in training
}

// New returns a workload with weights that keep activations and gradients of
// every layer near unit size. A new network's would not do for a check: its
// branches start near zero, and so do most of its gradients.
func New(c Config, d *model.Device) (*Workload, error) {
	m, err := model.New(c.Model, d)
	if err != nil {
		return nil, err
	}
	weights, err := unitWeights(m.Layout())
	if err != nil {
		return nil, err
	}
	w, err := newWorkload(m, weights, c.Batch, d)
	if err == nil {
		w.again = c.Recompute
	}
	return w, err
}

func newWorkload(m *model.Model, weights []float32, batch int, d *model.Device) (*Workload, error) {
	if batch < 1 {
		return nil, fmt.Errorf("benchmark: batch of %d images, want at least 1", batch)
	}
	if err := d.Mirror(weights); err != nil {
		return nil, fmt.Errorf("benchmark: weights: %w", err)
	}
	return &Workload{device: d, model: m, weights: weights, batch: batch}, nil
}

// Close gives the device's copies of the buffers back.
func (w *Workload) Close() error {
	if w.training == nil {
		return w.device.Release(w.weights)
	}
	return errors.Join(w.device.Release(w.weights), w.device.Release(w.training.flat()...), w.training.loss.Close())
}

// Preset returns the network of a preset in EDM's preconditioning, for a number
// of images.
func Preset(name string, batch int) (Config, error) {
	network, err := unet.Preset(name)
	return Config{Model: model.Config{Network: network, Precond: precond.DefaultEDM()}, Batch: batch}, err
}

// Model returns the denoiser.
func (w *Workload) Model() *model.Model { return w.model }

// Batch returns the images of a step.
func (w *Workload) Batch() int { return w.batch }

// Snapshot returns the weights as a snapshot.
func (w *Workload) Snapshot() (*safetensors.File, error) {
	if err := w.device.Download(w.weights); err != nil {
		return nil, err
	}
	return w.model.Snapshot(w.weights)
}

// Plan is the work and memory of a mode, known before it runs.
type Plan struct {
	ArenaBytes int64   // memory of the compiled step beyond weights and their like
	GFLOP      float64 // of an image, counting multiply and add, convolutions as direct ones and nothing twice
}

// Plan returns the work and memory of a step of a mode without allocating them.
func (w *Workload) Plan(mode Mode) (Plan, error) {
	p, err := w.model.PlanLoss(loss.Default(), w.batch, mode == Training, w.again)
	return Plan{p.ArenaBytes, (p.Flops - p.Recomputed) / 1e9 / float64(w.batch)}, err
}

// Run does one step of a mode.
func (w *Workload) Run(mode Mode) error {
	switch mode {
	case Training:
		return w.train()
	case Forward:
		return w.forward()
	case Sampling:
		return w.draw()
	}
	return fmt.Errorf("benchmark: mode %q, want %s, %s or %s", mode, Training, Forward, Sampling)
}

// evalSigma is the noise level at which D is evaluated.
const evalSigma = 0.7

// forward evaluates D(x; sigma) of the batch once.
func (w *Workload) forward() error {
	if w.x == nil {
		b := newBatch(w.model.Config(), w.batch, 0)
		images, noise := contents(&b)
		w.x = make([]float64, len(images))
		w.d = make([]float64, len(images))
		for i, y := range images {
			w.x[i] = float64(y) + evalSigma*float64(noise[i])
		}
	}
	if err := w.startEvaluating(); err != nil {
		return err
	}
	return w.denoiser.Denoise(context.Background(), w.d, w.x, evalSigma, nil)
}

// startEvaluating makes the evaluation program for the weights as they are.
func (w *Workload) startEvaluating() (err error) {
	if w.denoiser == nil {
		w.denoiser, err = w.model.Denoiser(w.weights, w.batch)
	}
	return err
}

// train does one step: gradient, Adam, average of the weights.
func (w *Workload) train() error {
	if err := w.startTraining(); err != nil {
		return err
	}
	if err := w.gradient(); err != nil {
		return err
	}
	return w.update()
}

// startTraining makes the training program and the optimiser's state.
func (w *Workload) startTraining() error {
	if w.training != nil {
		return nil
	}
	l, err := w.model.NewRecomputingLoss(loss.Default(), w.batch, w.again)
	if err != nil {
		return err
	}
	size := len(w.weights)
	w.training = &training{
		loss: l, losses: make([]float64, w.batch),
		grad: make([]float32, size), ema: make([]float32, size),
		moment1: make([]float32, size), mom2: make([]float32, size),
	}
	for i := range w.training.batches {
		w.training.batches[i] = newBatch(w.model.Config(), w.batch, i)
	}
	copy(w.training.ema, w.weights)
	return w.device.Mirror(w.training.flat()...)
}

// flat returns the buffers that training has beside the weights.
func (t *training) flat() [][]float32 { return [][]float32{t.grad, t.ema, t.moment1, t.mom2} }

// gradient computes the loss of a step's batch and its gradient, and has the next
// one sent meanwhile, as training does. Making the noise of the seed and the
// images' numbers is part of it: on a GPU within the program, on a processor before
// it, on the goroutine that runs it. Pixels and noise levels are there already.
func (w *Workload) gradient() error {
	t := w.training
	if err := t.loss.Start(w.weights, t.grad, t.at(t.step)); err != nil {
		return err
	}
	return errors.Join(t.loss.Prefetch(t.at(t.step+1)), t.loss.Wait(t.losses))
}

// at returns the batch of a step.
func (t *training) at(step int64) *model.Batch {
	b := &t.batches[step%2]
	for i := range b.Counter {
		b.Counter[i] = step*int64(len(b.Counter)) + int64(i)
	}
	return b
}

// update advances the weights along the gradient.
func (w *Workload) update() error {
	t := w.training
	t.step++
	w.denoiser, w.sampling = nil, nil
	u := model.Update{
		LR: 1e-4, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: t.step, GradScale: 1, EMABeta: 0.999,
	}
	return w.device.Adam(u, w.weights, t.ema, t.moment1, t.mom2, t.grad)
}

// newBatch returns n random images at random noise levels, the network's dropout,
// and by which numbers noise is drawn: what training gives a device, for image
// numbers from turn*n on. Its gradient is that of the mean over images of the sum
// over pixels.
func newBatch(c model.Config, n, turn int) model.Batch {
	b := model.Batch{
		Pixels: make([]uint8, n*c.Dim()), Stream: rng.Noise,
		Sigma: make([]float64, n), Weight: make([]float64, n), Counter: make([]int64, n),
		Seed: seed, Dropout: c.Network.Dropout, Gradient: 1 / float64(n),
	}
	objective := loss.Default()
	images := rng.New(seed, rng.Latents, uint64(turn))
	for i := range b.Pixels {
		b.Pixels[i] = uint8(images.Intn(256))
	}
	for i := range n {
		k := turn*n + i
		b.Counter[i] = int64(k)
		b.Sigma[i] = objective.Draw(seed, uint64(k))
		b.Weight[i] = objective.Weight(b.Sigma[i])
	}
	return b
}

// contents returns the images and the noise that a batch stands for.
func contents(b *model.Batch) (images, noise []float32) {
	images, noise = make([]float32, len(b.Pixels)), make([]float32, len(b.Pixels))
	engine.Pixels(b.Pixels).Fill(images)
	engine.Normals{Seed: b.Seed, Stream: b.Stream, Index: b.Counter}.Fill(noise)
	return images, noise
}
