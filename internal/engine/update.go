package engine

import "edm/internal/ref"

// Update is one step of Adam (Kingma & Ba 2015) and of the weight average.
type Update = ref.Update

// Updater is implemented by backends with a fused optimiser. Those with a memory
// of their own (Memory) want mirrored buffers, and fail on others; the rest never
// fail.
type Updater interface {
	// Adam advances weights w, moments m and v, and the average ema by one step
	// along gradient g; all are flat buffers of one layout. After an error their
	// contents are undefined.
	Adam(u Update, w, ema, m, v, g []float32) error
	// SumSquares returns the sum of squares of x, in one order whatever the
	// number of threads.
	SumSquares(x []float32) (float64, error)
	// Accumulate adds x to y.
	Accumulate(y, x []float32) error
}

// Adam implements Updater.
func (Portable) Adam(u Update, w, ema, m, v, g []float32) error {
	ref.Adam(u, w, ema, m, v, g)
	return nil
}

// SumSquares implements Updater.
func (Portable) SumSquares(x []float32) (float64, error) { return ref.SumSquares(x), nil }

// Accumulate implements Updater.
func (Portable) Accumulate(y, x []float32) error {
	ref.Add(y, y, x)
	return nil
}
