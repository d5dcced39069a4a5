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
// step along gradient g. All are flat buffers of one Layout.
func (d *Device) Adam(u Update, w, ema, m, v, g []float32) { d.updater().Adam(u, w, ema, m, v, g) }

// Norm returns the Euclidean norm of a flat buffer; it is not finite if an
// element is not.
func (d *Device) Norm(x []float32) float64 { return math.Sqrt(d.updater().SumSquares(x)) }

// Accumulate adds x to y.
func (d *Device) Accumulate(y, x []float32) { d.updater().Accumulate(y, x) }
