package train

import (
	"math"
	"time"

	"edm/loss"
)

// binCount is the number of ranges of ln sigma that losses are reported by:
// half a standard deviation of the training distribution each, the outermost
// open.
const binCount = 10

// axis is the mean and standard deviation of ln sigma in training.
type axis struct{ mean, std float64 }

// newAxis returns the axis of an objective, from its quantiles.
func newAxis(o loss.Objective) axis {
	const n = 4096
	var sum, squares float64
	for i := range n {
		v := math.Log(o.Quantile((float64(i) + 0.5) / n))
		sum += v
		squares += v * v
	}
	mean := sum / n
	return axis{mean, math.Sqrt(max(squares/n-mean*mean, 0))}
}

// bins sums losses by noise level (EDM Fig. 5a).
type bins struct {
	axis  axis
	sum   [binCount]float64
	count [binCount]int
}

// center returns the middle of range k in units of ln sigma.
func (b *bins) center(k int) float64 {
	return b.axis.mean + b.axis.std*(float64(k)-(binCount-1)/2.0)/2
}

func (b *bins) add(sigma, value float64) {
	z := (math.Log(sigma) - b.axis.mean) / b.axis.std
	k := min(max(int(math.Floor(2*z+binCount/2.0)), 0), binCount-1)
	b.sum[k] += value
	b.count[k]++
}

// result returns the ranges that hold something.
func (b *bins) result() []Bin {
	var out []Bin
	for k, n := range b.count {
		if n > 0 {
			out = append(out, Bin{Sigma: math.Exp(b.center(k)), Loss: b.sum[k] / float64(n), Count: n})
		}
	}
	return out
}

// mean returns the mean of everything added; 0 for nothing.
func (b *bins) mean() float64 {
	sum, n := b.total()
	return sum / float64(max(n, 1))
}

// stats gathers the figures of a tick.
type stats struct {
	bins     bins
	norm     float64
	steps    int
	images   int
	busy     time.Duration // in steps, without validation and saving
	lastRate float64
}

func (s *stats) add(sigma, losses []float64) {
	for i, v := range sigma {
		s.bins.add(v, losses[i])
	}
}

// tick returns the report since the last one.
func (s *stats) tick() Tick {
	return Tick{
		Loss: s.bins.mean(), LossBins: s.bins.result(), GradNorm: s.norm / float64(max(s.steps, 1)),
		LR: s.lastRate, ImgPerSec: float64(s.images) / max(s.busy.Seconds(), 1e-9),
	}
}

func (s *stats) reset() { *s = stats{bins: bins{axis: s.bins.axis}} }

// total returns the sum and number of everything added.
func (b *bins) total() (sum float64, n int) {
	for k, v := range b.sum {
		sum += v
		n += b.count[k]
	}
	return sum, n
}
