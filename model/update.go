package model

import (
	"math"

	"edm/internal/engine"
)

// Update is one step of Adam and of the average of the weights.
type Update = engine.Update

// updater returns the device's fused optimiser, or the portable one.
func (d *Device) updater() engine.Updater {
	if u, ok := d.backend.(engine.Updater); ok {
		return u
	}
	return engine.Portable{}
}

// Adam advances weights w, their average ema and their moments m and v by one
// step along gradient g. All are flat buffers of one Layout, on a device with a
// memory of its own mirrored ones; only there can it fail.
func (d *Device) Adam(u Update, w, ema, m, v, g []float32) error {
	return lacking(d.updater().Adam(u, w, ema, m, v, g))
}

// Norm returns the Euclidean norm of a flat buffer; it is not finite if an
// element is not. It fails as Adam does.
func (d *Device) Norm(x []float32) (float64, error) {
	sum, err := d.updater().SumSquares(x)
	return math.Sqrt(sum), lacking(err)
}

// Accumulate adds x to y. It fails as Adam does.
func (d *Device) Accumulate(y, x []float32) error { return lacking(d.updater().Accumulate(y, x)) }
