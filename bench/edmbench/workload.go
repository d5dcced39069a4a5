package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"edm/internal/rng"
	"edm/internal/safetensors"
	"edm/loss"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// seed of every random input of the benchmark.
const seed = 1

// workload is a denoiser with weights and a fixed batch of inputs. What only
// training or only evaluation needs is made at first use: the memory of a
// process that does one of them is that of this one.
type workload struct {
	device  *model.Device
	model   *model.Model
	weights []float32
	batch   int

	denoiser *model.Denoiser
	x, d     []float64
	training *training
}

// training is the state of the optimiser and the batch it sees.
type training struct {
	loss          *model.Loss
	batch         model.Batch
	losses        []float64
	grad, ema     []float32
	moment1, mom2 []float32
	step          int64
}

// newWorkload loads the snapshot or makes the preset that c names.
func newWorkload(c config, device *model.Device) (*workload, error) {
	w := &workload{device: device, batch: c.batch}
	var err error
	if c.network != "" {
		w.model, w.weights, err = load(c.network, device)
	} else {
		w.model, w.weights, err = random(c.preset, device)
	}
	if err != nil {
		return nil, err
	}
	// The file's bytes are garbage by now.
	debug.FreeOSMemory()
	return w, nil
}

func load(path string, device *model.Device) (*model.Model, []float32, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	m, weights, err := model.FromSnapshot(f, device)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, weights, nil
}

// random returns a preset with weights that keep activations and gradients of
// every layer near unit size. A new network's would not do for a check: its
// branches start near zero, and so do most of its gradients.
func random(preset string, device *model.Device) (*model.Model, []float32, error) {
	network, err := unet.Preset(preset)
	if err != nil {
		return nil, nil, err
	}
	m, err := model.New(model.Config{Network: network, Precond: precond.DefaultEDM()}, device)
	if err != nil {
		return nil, nil, err
	}
	l := m.Layout()
	weights := make([]float32, l.Size)
	if err := l.Init(weights, seed); err != nil {
		return nil, nil, err
	}
	for i, p := range l.Params {
		fanIn := 1
		for _, n := range p.Shape[1:] {
			fanIn *= n
		}
		r := rng.New(seed+1, rng.Init, uint64(i))
		view := p.View(weights)
		if len(p.Shape) == 1 {
			for k := range view {
				view[k] += float32(0.1 * r.Normal())
			}
			continue
		}
		unet.Init{Bound: unitVariance(fanIn)}.Fill(view, seed+1, uint64(i))
	}
	return m, weights, nil
}

// forward evaluates D(x; sigma) of the batch once.
func (w *workload) forward() error {
	if w.denoiser == nil {
		var err error
		if w.denoiser, err = w.model.Denoiser(w.weights, w.batch); err != nil {
			return err
		}
		b := newBatch(w.model.Config(), w.batch)
		w.x = make([]float64, len(b.Images))
		w.d = make([]float64, len(b.Images))
		for i, y := range b.Images {
			w.x[i] = float64(y) + evalSigma*float64(b.Noise[i])
		}
	}
	return w.denoiser.Denoise(context.Background(), w.d, w.x, evalSigma, nil)
}

// evalSigma is the noise level at which D is evaluated.
const evalSigma = 0.7

// startTraining makes the training program and the optimiser's state.
func (w *workload) startTraining() error {
	if w.training != nil {
		return nil
	}
	l, err := w.model.NewLoss(loss.Default(), w.batch, true)
	if err != nil {
		return err
	}
	size := len(w.weights)
	w.training = &training{
		loss: l, batch: newBatch(w.model.Config(), w.batch), losses: make([]float64, w.batch),
		grad: make([]float32, size), ema: make([]float32, size),
		moment1: make([]float32, size), mom2: make([]float32, size),
	}
	copy(w.training.ema, w.weights)
	return nil
}

// train does one step: gradient, Adam, average of the weights.
func (w *workload) train() error {
	if err := w.startTraining(); err != nil {
		return err
	}
	if err := w.gradient(); err != nil {
		return err
	}
	w.update()
	return nil
}

// gradient computes the loss of the batch and its gradient.
func (w *workload) gradient() error {
	t := w.training
	for i := range t.batch.Counter {
		t.batch.Counter[i] = t.step*int64(w.batch) + int64(i)
	}
	return t.loss.Run(w.weights, t.grad, t.losses, &t.batch)
}

// update advances the weights along the gradient.
func (w *workload) update() {
	t := w.training
	t.step++
	u := model.Update{
		LR: 1e-4, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: t.step, GradScale: 1, EMABeta: 0.999,
	}
	w.device.Adam(u, w.weights, t.ema, t.moment1, t.mom2, t.grad)
}

// newBatch returns n random images with random noise at random noise levels,
// and the network's dropout. Its gradient is that of the mean over images of
// the sum over pixels.
func newBatch(c model.Config, n int) model.Batch {
	b := model.Batch{
		Images: make([]float32, n*c.Dim()), Noise: make([]float32, n*c.Dim()),
		Sigma: make([]float64, n), Weight: make([]float64, n), Counter: make([]int64, n),
		Seed: seed, Dropout: c.Network.Dropout, Gradient: 1 / float64(n),
	}
	objective := loss.Default()
	images, noise := rng.New(seed, rng.Latents, 0), rng.New(seed, rng.Noise, 0)
	for i := range b.Images {
		b.Images[i] = float32(0.5 * images.Normal())
		b.Noise[i] = float32(noise.Normal())
	}
	for i := range b.Sigma {
		b.Sigma[i] = objective.Draw(seed, uint64(i))
		b.Weight[i] = objective.Weight(b.Sigma[i])
	}
	return b
}
