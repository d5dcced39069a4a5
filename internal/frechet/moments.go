package frechet

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ErrTooFew is the reason why Gaussian refuses a set of samples.
var ErrTooFew = errors.New("too few samples")

// blockRows is how many samples Moments collects before it adds them to the
// sums: enough for a matrix product to pay.
const blockRows = 64

// Moments estimates the mean and the covariance of samples as they come, in
// memory for one covariance matrix. The zero value is not usable.
type Moments struct {
	dim     int
	n       int
	mean    []float64
	scatter *mat.SymDense // sum of (x - mean)(x - mean)'

	rows    *mat.Dense // samples not yet in the sums
	pending int
}

// NewMoments returns Moments of samples of dim values, without any.
func NewMoments(dim int) (*Moments, error) {
	if dim < 1 {
		return nil, fmt.Errorf("frechet: new moments: %d dimensions, want 1 or more", dim)
	}
	return &Moments{
		dim: dim, mean: make([]float64, dim), scatter: mat.NewSymDense(dim, nil),
		rows: mat.NewDense(blockRows, dim, nil),
	}, nil
}

// Len returns the number of samples.
func (m *Moments) Len() int { return m.n + m.pending }

// Dim returns the number of values of a sample.
func (m *Moments) Dim() int { return m.dim }

// Add adds one sample. It fails, and adds nothing, if the length is wrong or a
// value is not finite.
func (m *Moments) Add(sample []float64) error {
	if len(sample) != m.dim {
		return fmt.Errorf("frechet: add sample %d: %d values, want %d", m.Len(), len(sample), m.dim)
	}
	if i := notFinite(sample); i >= 0 {
		return fmt.Errorf("frechet: add sample %d: value %d is %v, want a finite number", m.Len(), i, sample[i])
	}
	m.rows.SetRow(m.pending, sample)
	if m.pending++; m.pending == blockRows {
		m.flush()
	}
	return nil
}

// flush puts the pending samples into the sums.
func (m *Moments) flush() {
	if m.pending == 0 {
		return
	}
	mean := make([]float64, m.dim)
	for k := range m.pending {
		for i, v := range m.rows.RawRowView(k) {
			mean[i] += v
		}
	}
	for i := range mean {
		mean[i] /= float64(m.pending)
	}
	for k := range m.pending {
		row := m.rows.RawRowView(k)
		for i := range row {
			row[i] -= mean[i]
		}
	}
	block := m.rows.Slice(0, m.pending, 0, m.dim)
	var scatter mat.SymDense
	scatter.SymOuterK(1, block.T())
	m.combine(m.pending, mean, &scatter)
	m.pending = 0
}

// combine adds n samples given by their mean and scatter (Chan et al. 1983).
func (m *Moments) combine(n int, mean []float64, scatter *mat.SymDense) {
	shift := make([]float64, m.dim)
	total := m.n + n
	for i, v := range mean {
		shift[i] = v - m.mean[i]
		m.mean[i] += shift[i] * float64(n) / float64(total)
	}
	m.scatter.AddSym(m.scatter, scatter)
	weight := float64(m.n) * float64(n) / float64(total)
	m.scatter.SymRankOne(m.scatter, weight, mat.NewVecDense(m.dim, shift))
	m.n = total
}

// Merge adds all samples of o, which keeps them. Parts of a set may be
// measured in several goroutines and then merged.
func (m *Moments) Merge(o *Moments) error {
	if o.dim != m.dim {
		return fmt.Errorf("frechet: merge: %d dimensions into %d: want the same", o.dim, m.dim)
	}
	m.flush()
	o.flush()
	if o.n > 0 {
		m.combine(o.n, o.mean, o.scatter)
	}
	return nil
}

// Gaussian returns the mean and the unbiased covariance (divided by n - 1) of
// the samples, as copies. It fails unless there are more samples than
// dimensions: the covariance of fewer has directions of no variance, and
// a distance from it would mostly measure how many are missing.
func (m *Moments) Gaussian() (mean []float64, covariance *mat.SymDense, err error) {
	m.flush()
	if m.n <= m.dim {
		return nil, nil, fmt.Errorf("frechet: covariance: %w: %d samples in %d dimensions: their covariance is singular; take at least %d",
			ErrTooFew, m.n, m.dim, m.dim+1)
	}
	covariance = mat.NewSymDense(m.dim, nil)
	covariance.ScaleSym(1/float64(m.n-1), m.scatter)
	return append([]float64(nil), m.mean...), covariance, nil
}

// notFinite returns the index of the first NaN or infinity, or -1.
func notFinite(x []float64) int {
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return i
		}
	}
	return -1
}
