package engine

import "edm/internal/ref"

// Update is one step of Adam (Kingma & Ba 2015) and of the weight average.
type Update = ref.Update

// Updater is implemented by backends with a fused optimiser.
type Updater interface {
	// Adam advances weights w, moments m and v, and the average ema by one step
	// along gradient g; all are flat buffers of one layout.
	Adam(u Update, w, ema, m, v, g []float32)
	// SumSquares returns the sum of squares of x, in one order whatever the
	// number of threads.
	SumSquares(x []float32) float64
	// Accumulate adds x to y.
	Accumulate(y, x []float32)
}

// Adam implements Updater.
func (Portable) Adam(u Update, w, ema, m, v, g []float32) { ref.Adam(u, w, ema, m, v, g) }

// SumSquares implements Updater.
func (Portable) SumSquares(x []float32) float64 { return ref.SumSquares(x) }

// Accumulate implements Updater.
func (Portable) Accumulate(y, x []float32) { ref.Add(y, y, x) }
