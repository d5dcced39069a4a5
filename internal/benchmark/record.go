package benchmark

import (
	"strconv"

	"edm/checkpoints/safetensors"
)

// Record evaluates D, the losses and the gradients once, without dropout, and
// returns them with the inputs they belong to, for another implementation to
// compare with:
//
//	in.x, out.D              [N,C,H,W]  noisy images at metadata "sigma", and D
//	in.images, in.noise      [N,C,H,W]  clean images and unit noise of the loss
//	in.sigma, out.loss       [N]        noise levels; weighted error, mean over pixels
//	grad.<parameter>                    gradient of the mean over images of the sum over pixels
func (w *Workload) Record() (*safetensors.File, error) {
	if err := w.forward(); err != nil {
		return nil, err
	}
	if err := w.startTraining(); err != nil {
		return nil, err
	}
	t := w.training
	b := *t.at(t.step)
	b.Dropout = 0
	// Numbers of the host's: a device's own draws are equal to rounding only.
	b.Images, b.Noise = contents(&b)
	if err := t.loss.Run(w.weights, t.grad, t.losses, &b); err != nil {
		return nil, err
	}
	if err := w.device.Download(t.grad); err != nil {
		return nil, err
	}
	n := w.model.Config().Network
	images := []int{w.batch, n.InChannels, n.ImgResolution, n.ImgResolution}
	f := &safetensors.File{
		Metadata: map[string]string{"sigma": strconv.FormatFloat(evalSigma, 'g', -1, 64), "kernels": w.device.Name()},
		Tensors: map[string]safetensors.Tensor{
			"in.x":      safetensors.FromFloat64s(w.x, images...),
			"out.D":     safetensors.FromFloat64s(w.d, images...),
			"in.images": safetensors.FromFloat32s(b.Images, images...),
			"in.noise":  safetensors.FromFloat32s(b.Noise, images...),
			"in.sigma":  safetensors.FromFloat64s(b.Sigma, w.batch),
			"out.loss":  safetensors.FromFloat64s(t.losses, w.batch),
		},
	}
	for name, g := range w.model.Layout().Tensors(t.grad) {
		f.Tensors["grad."+name] = g
	}
	return f, nil
}
