package train

import (
	"fmt"
	"math"
	"strings"

	"edm/checkpoints/safetensors"
	"edm/model"
)

// weights are the flat buffers that a step advances.
type weights struct {
	layout             model.Layout
	raw, ema, m, v     []float32
	grad, accumulating []float32
}

func newWeights(l model.Layout) *weights {
	w := &weights{layout: l}
	for _, b := range []*[]float32{&w.raw, &w.ema, &w.m, &w.v, &w.grad, &w.accumulating} {
		*b = make([]float32, l.Size)
	}
	return w
}

// all returns every buffer.
func (w *weights) all() [][]float32 {
	return [][]float32{w.raw, w.ema, w.m, w.v, w.grad, w.accumulating}
}

// saved returns the buffers that a state holds.
func (w *weights) saved() [][]float32 { return [][]float32{w.raw, w.ema, w.m, w.v} }

// parts are the buffers that a state holds, by the prefix of their names.
func (w *weights) parts() map[string][]float32 {
	return map[string][]float32{"weights.": w.raw, "ema.": w.ema, "adam_m.": w.m, "adam_v.": w.v}
}

// tensors returns the contents of a state; they share the buffers' memory.
func (w *weights) tensors() map[string]safetensors.Tensor {
	all := map[string]safetensors.Tensor{}
	for prefix, flat := range w.parts() {
		for name, t := range w.layout.Tensors(flat) {
			all[prefix+name] = t
		}
	}
	return all
}

// restore copies a state's tensors into the buffers.
func (w *weights) restore(tensors map[string]safetensors.Tensor) error {
	byPart := map[string]map[string]safetensors.Tensor{}
	for prefix := range w.parts() {
		byPart[prefix] = map[string]safetensors.Tensor{}
	}
	for name, t := range tensors {
		prefix, rest, _ := strings.Cut(name, ".")
		part, ok := byPart[prefix+"."]
		if !ok {
			return fmt.Errorf("train: unexpected tensor %s in a state", name)
		}
		part[rest] = t
	}
	for prefix, flat := range w.parts() {
		if err := w.layout.SetTensors(flat, byPart[prefix]); err != nil {
			return fmt.Errorf("train: state's %s: %w", strings.TrimSuffix(prefix, "."), err)
		}
	}
	return nil
}

// learningRate returns the rate of the step that starts at nimg images: it rises
// linearly from 0 over the ramp-up.
func (c Config) learningRate(nimg int64) float64 {
	if c.LRRampup == 0 {
		return c.LR
	}
	return c.LR * min(float64(nimg)/(c.LRRampup*1e6), 1)
}

// emaBeta returns the weight of the old average in the step that starts at nimg
// images: the half-life is EMA, but at most EMARampup of the images so far.
func (c Config) emaBeta(nimg int64) float64 {
	halfLife := c.EMA * 1e6
	if c.EMARampup > 0 {
		halfLife = min(halfLife, float64(nimg)*c.EMARampup)
	}
	return math.Pow(0.5, float64(c.Batch)/max(halfLife, 1e-8))
}
