package sample

import "math"

// AdaptiveODE is the Dormand-Prince 5(4) method on the probability-flow ODE with error
// control: each image takes the steps that its own tolerances allow. It goes down in u =
// ln sigma, where dx/du = x - D. (Measured on mixtures of Gaussians from 80 to 0.002,
// RTol = ATol = 1e-5: 124 to 157 evaluations with at most two refused steps; in sigma
// itself 126 to 200 with 8 to 12 refused, and up to a hundred times the error where the
// data are narrow.)
//
// A step takes six evaluations; the seventh stage is the first of the next. The last
// step's is D at the lowest noise level, which Euler's step to 0 leads to.
//
// A network that knows few noise levels is told the nearest, which makes D jump;
// such networks are better sampled with fixed steps.
type AdaptiveODE struct {
	onLevels
	RTol   float64 // relative tolerance of a step
	ATol   float64 // absolute tolerance of a step, in the units of the data
	MaxNFE int     // evaluations of an image after which to give up
}

// DefaultAdaptiveODE returns the tolerances of the score-SDE paper.
func DefaultAdaptiveODE() AdaptiveODE { return AdaptiveODE{RTol: 1e-5, ATol: 1e-5, MaxNFE: 1000} }

// Evaluations returns 0: the images decide.
func (AdaptiveODE) Evaluations(int) int { return 0 }

// Draws returns 0.
func (AdaptiveODE) Draws(int) int { return 0 }

// Validate returns the faults of the constants.
func (s AdaptiveODE) Validate() error {
	var f faults
	f.tolerances(s.RTol, s.ATol, s.MaxNFE)
	return f.err(s)
}

// Integrate implements Solver.
func (s AdaptiveODE) Integrate(r *Run) error { return r.adapt(newDormandPrince(r, s), s.MaxNFE) }

// dpStages is the number of stages of a step, the first of them known.
const dpStages = 7

// dpStage is a stage after the first: its part of the step and the weights of
// the slopes before it.
type dpStage struct {
	at      float64
	weights []float64
}

// dpTableau returns the stages after the first, of which the last is at the
// result of order 5, and the weights of the slopes in the difference between the
// results of order 5 and 4 (Dormand & Prince 1980).
func dpTableau() (stages []dpStage, difference []float64) {
	return []dpStage{
		{1. / 5, []float64{1. / 5}},
		{3. / 10, []float64{3. / 40, 9. / 40}},
		{4. / 5, []float64{44. / 45, -56. / 15, 32. / 9}},
		{8. / 9, []float64{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729}},
		{1, []float64{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656}},
		{1, []float64{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}},
	}, []float64{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40}
}

// dormandPrince is the stepper of AdaptiveODE.
type dormandPrince struct {
	AdaptiveODE
	stages   []dpStage
	errors   []float64           // weights of the slopes in the error
	slopes   [dpStages][]float64 // dx/du at each stage, [N, dim]
	estimate []float64           // the error of one image
}

func newDormandPrince(r *Run, s AdaptiveODE) *dormandPrince {
	d := &dormandPrince{AdaptiveODE: s, estimate: make([]float64, r.Dim)}
	d.stages, d.errors = dpTableau()
	for l := range d.slopes {
		d.slopes[l] = r.Buffer(adaptiveBuffers + l)
	}
	return d
}

func (d *dormandPrince) cost() int { return dpStages - 1 }

// accepted has nothing to do: the last stage was at the result.
func (d *dormandPrince) accepted(*adaptive, []int) error { return nil }

func (d *dormandPrince) attempt(a *adaptive) error {
	for _, i := range a.active {
		subtract(a.row(d.slopes[0], i), a.row(a.X, i), a.row(a.denoised, i))
	}
	for s, stage := range d.stages {
		for _, i := range a.active {
			w := &a.walks[i]
			a.sigmas[i] = w.next
			if stage.at != 1 {
				a.sigmas[i] = w.sigma * math.Exp(-stage.at*w.length())
			}
			state := a.row(a.proposal, i)
			copy(state, a.row(a.X, i))
			d.addSlopes(a, i, state, stage.weights)
		}
		if err := a.evaluate(a.preview, a.proposal, a.active); err != nil {
			return err
		}
		for _, i := range a.active {
			subtract(a.row(d.slopes[s+1], i), a.row(a.proposal, i), a.row(a.preview, i))
		}
	}
	for _, i := range a.active {
		clear(d.estimate)
		d.addSlopes(a, i, d.estimate, d.errors)
		a.walks[i].err = scaledError(d.estimate, a.row(a.X, i), a.row(a.proposal, i), d.RTol, d.ATol)
	}
	return nil
}

// addSlopes adds the step of image i along the weighted slopes to dst.
func (d *dormandPrince) addSlopes(a *adaptive, i int, dst, weights []float64) {
	h := -a.walks[i].length() // u falls
	for l, weight := range weights {
		if weight != 0 {
			addScaled(dst, a.row(d.slopes[l], i), h*weight)
		}
	}
}

// factor is the step control of Hairer, Norsett and Wanner's DOPRI5, which looks
// at the last two errors (PI), with its constants.
func (d *dormandPrince) factor(w *walk) float64 {
	const safety, last = 0.9, 0.04
	if !(w.err <= 1) {
		return bounded(safety*math.Pow(w.err, -1./5), 0.2, 1)
	}
	return bounded(safety*math.Pow(w.err, 0.75*last-1./5)*math.Pow(max(w.lastErr, 1e-4), last), 0.2, 10)
}

// scaledError returns the RMS over an image of difference / (atol + rtol
// max(|x|, |y|)).
func scaledError(difference, x, y []float64, rtol, atol float64) float64 {
	sum := 0.0
	for j, v := range difference {
		v /= atol + rtol*max(math.Abs(x[j]), math.Abs(y[j]))
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(difference)))
}

// subtract writes x - y to dst.
func subtract(dst, x, y []float64) {
	x, y = x[:len(dst)], y[:len(dst)]
	for j := range dst {
		dst[j] = x[j] - y[j]
	}
}
