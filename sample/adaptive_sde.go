package sample

import (
	"fmt"
	"math"
)

// AdaptiveSDE is the adaptive solver of Jolicoeur-Martineau et al. 2021
// (Alg. 1) on the general SDE: an Euler-Maruyama step and the improved Euler
// step that starts from it share a draw, and their difference, weighed by the
// larger of an absolute and a relative tolerance with the RMS over an image, is
// the error. The improved step is kept. It differs in four ways:
//
//   - A refused step is tried again on the same Brownian motion (see brownianPath);
//     the paper draws afresh, which favours noise with small errors.
//   - It goes down in ln sigma, where the drift is (1 + beta) (x - D). The noise of
//     a step is sqrt(beta) times a change of W(sigma^2), exact for constant beta.
//   - The denoised image at a step's start is kept when it is refused: two
//     evaluations a step and one a refusal.
//   - The relative tolerance is of the state where the step starts, or of Euler's
//     result if that is larger; the paper has the Euler result before for the first.
//
// Every image makes one attempt a round, which uses its row of the draw of the
// round's number: images do not depend on each other. The last step, to 0, is
// the ODE's. Without Langevin part the solver is an adaptive Heun method.
type AdaptiveSDE struct {
	onLevels
	Beta   Rate    // of the Langevin part
	SNoise float64 // standard deviation of the fresh noise
	RTol   float64 // relative tolerance of a step
	ATol   float64 // absolute tolerance of a step, in the units of the data
	MaxNFE int     // evaluations of an image after which to give up
}

// DefaultAdaptiveSDE returns the paper's tolerances: one step of 256 grey levels from
// -1 to 1, and a relative one of 0.01, with which it is near exact.
func DefaultAdaptiveSDE() AdaptiveSDE {
	return AdaptiveSDE{Beta: ConstantRate(1), SNoise: 1, RTol: 0.01, ATol: 2. / 256, MaxNFE: 10_000}
}

// Evaluations returns 0: the images decide.
func (AdaptiveSDE) Evaluations(int) int { return 0 }

// Draws returns one an attempt, of which MaxNFE is more than there are, with a Langevin
// part.
func (s AdaptiveSDE) Draws(int) int {
	if s.Beta == nil {
		return 0
	}
	return s.MaxNFE
}

// Validate returns the faults of the constants.
func (s AdaptiveSDE) Validate() error {
	var f faults
	f.rate(s.Beta, s.SNoise)
	f.tolerances(s.RTol, s.ATol, s.MaxNFE)
	return f.err(s)
}

// Integrate implements Solver.
func (s AdaptiveSDE) Integrate(r *Run) error { return r.adapt(newImprovedEuler(r, s), s.MaxNFE) }

// improvedEuler is the stepper of AdaptiveSDE.
type improvedEuler struct {
	AdaptiveSDE
	paths   []brownianPath
	points  []int     // how many known points of its path each image's attempt spans
	normals []float64 // the round's draw
	change  []float64 // of W over the attempt, [N, dim]
	euler   []float64 // the results of Euler-Maruyama
}

func newImprovedEuler(r *Run, s AdaptiveSDE) *improvedEuler {
	e := &improvedEuler{
		AdaptiveSDE: s,
		paths:       make([]brownianPath, r.Images()), points: make([]int, r.Images()),
		normals: r.Buffer(adaptiveBuffers), change: r.Buffer(adaptiveBuffers + 1), euler: r.Buffer(adaptiveBuffers + 2),
	}
	for i := range e.paths {
		e.paths[i].v = r.Sigmas[0] * r.Sigmas[0]
	}
	clear(e.change)
	return e
}

func (e *improvedEuler) cost() int { return 2 }

func (e *improvedEuler) attempt(a *adaptive) error {
	if err := e.draw(a); err != nil {
		return err
	}
	for _, i := range a.active {
		w := &a.walks[i]
		beta, err := e.betaAt(a, w.sigma)
		if err != nil {
			return err
		}
		h, noise := -w.length(), e.SNoise*math.Sqrt(beta)
		x, denoised, change, euler := a.row(a.X, i), a.row(a.denoised, i), a.row(e.change, i), a.row(e.euler, i)
		for j := range euler {
			euler[j] = x[j] + h*(1+beta)*(x[j]-denoised[j]) + noise*change[j]
		}
		a.sigmas[i] = w.next
	}
	if err := a.evaluate(a.preview, e.euler, a.active); err != nil {
		return err
	}
	for _, i := range a.active {
		if err := e.improve(a, i); err != nil {
			return err
		}
	}
	return nil
}

// draw finds the change of each image's W over its attempt.
func (e *improvedEuler) draw(a *adaptive) error {
	if e.Beta == nil {
		return nil
	}
	if err := a.fresh.take(e.normals, uint64(a.round)); err != nil {
		return fmt.Errorf("sample: step %d: %w", a.step, err)
	}
	for _, i := range a.active {
		next := a.walks[i].next
		e.points[i] = e.paths[i].reveal(next*next, a.row(e.normals, i))
		e.paths[i].change(a.row(e.change, i), e.points[i])
	}
	return nil
}

// improve writes the step along the mean of the drifts at both ends to the
// proposal of image i, and its error.
func (e *improvedEuler) improve(a *adaptive, i int) error {
	w := &a.walks[i]
	beta, err := e.betaAt(a, w.sigma)
	if err != nil {
		return err
	}
	betaNext, err := e.betaAt(a, w.next)
	if err != nil {
		return err
	}
	h, noise := -w.length(), e.SNoise*math.Sqrt((beta+betaNext)/2)
	x, denoised, change := a.row(a.X, i), a.row(a.denoised, i), a.row(e.change, i)
	euler, denoisedNext, result := a.row(e.euler, i), a.row(a.preview, i), a.row(a.proposal, i)
	sum := 0.0
	for j := range result {
		drift := (1+beta)*(x[j]-denoised[j]) + (1+betaNext)*(euler[j]-denoisedNext[j])
		result[j] = x[j] + h/2*drift + noise*change[j]
		diff := (result[j] - euler[j]) / max(e.ATol, e.RTol*max(math.Abs(x[j]), math.Abs(euler[j])))
		sum += diff * diff
	}
	w.err = math.Sqrt(sum / float64(len(result)))
	return nil
}

// accepted passes the points of the Brownian motions and evaluates the results.
func (e *improvedEuler) accepted(a *adaptive, images []int) error {
	for _, i := range images {
		a.sigmas[i] = a.walks[i].next
		if e.Beta != nil {
			e.paths[i].pass(e.points[i])
		}
	}
	return a.evaluate(a.preview, a.proposal, images)
}

// factor is the paper's, between bounds.
func (e *improvedEuler) factor(w *walk) float64 {
	return bounded(0.9*math.Pow(w.err, -0.9), 0.2, 5)
}

// betaAt is beta with an error that names the step.
func (e *improvedEuler) betaAt(a *adaptive, sigma float64) (float64, error) {
	beta, err := e.Beta.at(sigma)
	if err != nil {
		return 0, fmt.Errorf("sample: step %d: %w", a.step, err)
	}
	return beta, nil
}
