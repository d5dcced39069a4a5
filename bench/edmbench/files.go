package main

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"edm/internal/atomicfile"
	"edm/internal/safetensors"
)

// unitVariance is the bound of a uniform distribution from which a layer's
// weights keep the variance of its input.
func unitVariance(fanIn int) float64 { return math.Sqrt(3 / float64(fanIn)) }

// writeSnapshot writes the weights as a snapshot.
func (w *workload) writeSnapshot(path string) error {
	f, err := w.model.Snapshot(w.weights)
	if err != nil {
		return err
	}
	return writeFile(path, f)
}

// writeCheck evaluates D, the losses and the gradients once, without dropout,
// and writes them with the inputs they belong to:
//
//	in.x, out.D              [N,C,H,W]  noisy images at metadata "sigma", and D
//	in.images, in.noise      [N,C,H,W]  clean images and unit noise of the loss
//	in.sigma, out.loss       [N]        noise levels; weighted error, mean over pixels
//	grad.<parameter>                    gradient of the mean over images of the sum over pixels
func (w *workload) writeCheck(path string) error {
	if err := w.forward(); err != nil {
		return err
	}
	if err := w.startTraining(); err != nil {
		return err
	}
	t := w.training
	t.batch.Dropout = 0
	if err := w.gradient(); err != nil {
		return err
	}
	n := w.model.Config().Network
	images := []int{w.batch, n.InChannels, n.ImgResolution, n.ImgResolution}
	f := &safetensors.File{
		Metadata: map[string]string{"sigma": strconv.FormatFloat(evalSigma, 'g', -1, 64), "kernels": w.device.Name()},
		Tensors: map[string]safetensors.Tensor{
			"in.x":      safetensors.FromFloat64s(w.x, images...),
			"out.D":     safetensors.FromFloat64s(w.d, images...),
			"in.images": safetensors.FromFloat32s(t.batch.Images, images...),
			"in.noise":  safetensors.FromFloat32s(t.batch.Noise, images...),
			"in.sigma":  safetensors.FromFloat64s(t.batch.Sigma, w.batch),
			"out.loss":  safetensors.FromFloat64s(t.losses, w.batch),
		},
	}
	for name, g := range w.model.Layout().Tensors(t.grad) {
		f.Tensors["grad."+name] = g
	}
	return writeFile(path, f)
}

func writeFile(path string, f *safetensors.File) error {
	err := atomicfile.Write(path, 0o644, func(w io.Writer) error { return safetensors.Write(w, f) })
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
