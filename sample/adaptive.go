package sample

import (
	"fmt"
	"math"
)

// stepper is the method of an adaptive solver. All go down in ln sigma,
// each image with steps of its own.
type stepper interface {
	// cost is the most evaluations that a round takes of an image.
	cost() int
	// attempt writes the state of every active image at its walk's next noise
	// level to the proposals and its error to the walk's.
	attempt(a *adaptive) error
	// accepted brings the proposals' denoised images up to date for images whose
	// attempt succeeded.
	accepted(a *adaptive, images []int) error
	// factor returns how much longer the next step may be.
	factor(w *walk) float64
}

// walk is the way of one image from sigma_max to sigma_min.
type walk struct {
	sigma    float64 // where it stands
	next     float64 // where the step under way leads
	step     float64 // the length in ln sigma to try
	err      float64 // error of the step under way, 1 being what the tolerances allow
	lastErr  float64 // error of the last step that succeeded
	rejected bool    // the last attempt failed
}

// length returns the step under way in ln sigma.
func (w *walk) length() float64 { return math.Log(w.sigma / w.next) }

// firstStep is the first step's part of the way in ln sigma. At sigma_max the
// image is all noise and the solution so plain that the step is seldom refused.
const firstStep = 0.05

// adaptive is a run in rounds: one attempt at a step of every unfinished image
// at once. An image that has reached sigma_min takes Euler's step to 0, which
// leads to its denoised image, and drops out.
type adaptive struct {
	*Run
	stepper
	maxNFE   int
	round    int // rounds so far
	step     int // those in which an image moved: the step's number in hooks and errors
	walks    []walk
	active   []int // unfinished images, rising
	done     []int // those of active whose attempt of this round succeeded
	sigmas   []float64
	denoised []float64 // D at each walk's sigma, [N, dim]
	proposal []float64 // states at each walk's next
	preview  []float64 // D of the proposals
	subset   subset
}

// adaptiveBuffers is the number of Run's buffers that adaptive takes; a stepper's
// own come after them.
const adaptiveBuffers = 3

// adapt integrates with steps that the images' own errors set.
func (r *Run) adapt(s stepper, maxNFE int) error {
	n := r.Images()
	a := &adaptive{
		Run: r, stepper: s, maxNFE: maxNFE, walks: make([]walk, n), active: make([]int, n), sigmas: make([]float64, n),
		denoised: r.Buffer(0), proposal: r.Buffer(1), preview: r.Buffer(2),
	}
	r.imageNFE = make([]int, n)
	high, low := r.Sigmas[0], r.Sigmas[1]
	for i := range a.walks {
		a.active[i], a.sigmas[i] = i, high
		a.walks[i] = walk{sigma: high, step: firstStep * math.Log(high/low), lastErr: 1}
	}
	if err := a.evaluate(a.denoised, r.X, a.active); err != nil {
		return err
	}
	for ; len(a.active) > 0; a.round++ {
		if err := a.oneRound(low); err != nil {
			return err
		}
	}
	return nil
}

// oneRound tries one step of every active image.
func (a *adaptive) oneRound(low float64) error {
	for _, i := range a.active {
		w := &a.walks[i]
		if a.imageNFE[i]+a.cost() > a.maxNFE {
			return fmt.Errorf("sample: step %d: image %d is at sigma %g after %d of at most %d evaluations, with steps of %.2g in ln sigma; raise max_nfe, rtol or atol",
				a.step, i, w.sigma, a.imageNFE[i], a.maxNFE, w.step)
		}
		w.next = w.sigma * math.Exp(-w.step)
		if w.sigma*math.Exp(-1.01*w.step) <= low { // leave no sliver
			w.next = low
		}
	}
	if err := a.attempt(a); err != nil {
		return err
	}
	before := a.highest()
	a.judge()
	if err := a.accepted(a, a.done); err != nil {
		return err
	}
	a.move(low)
	if err := a.tell(before); err != nil {
		return err
	}
	for _, i := range a.done {
		copy(a.row(a.denoised, i), a.row(a.preview, i))
	}
	return nil
}

// judge sorts out which attempts have succeeded and sets the next steps. After a
// failure the next step does not grow.
func (a *adaptive) judge() {
	a.done = a.done[:0]
	for _, i := range a.active {
		w := &a.walks[i]
		most, ok := 1.0, w.err <= 1
		if ok && !w.rejected {
			most = math.Inf(1)
		}
		w.step = w.length() * min(a.factor(w), most)
		w.rejected = !ok
		if ok {
			w.lastErr = w.err
			a.done = append(a.done, i)
		}
	}
}

// move takes the images of this round's successes to their next noise level, and
// those at the lowest to 0.
func (a *adaptive) move(low float64) {
	for _, i := range a.done {
		w := &a.walks[i]
		w.sigma = w.next
		state := a.proposal
		if w.sigma == low {
			w.sigma, state = 0, a.preview
		}
		copy(a.row(a.X, i), a.row(state, i))
	}
	left := a.active[:0]
	for _, i := range a.active {
		if a.walks[i].sigma > 0 {
			left = append(left, i)
		}
	}
	a.active = left
}

// highest returns the highest noise level of an active image, 0 for none.
func (a *adaptive) highest() float64 {
	high := 0.0
	for _, i := range a.active {
		high = max(high, a.walks[i].sigma)
	}
	return high
}

// tell counts a round in which an image moved and calls the hook.
func (a *adaptive) tell(before float64) error {
	if len(a.done) == 0 {
		return nil
	}
	step := Step{Index: a.step, Sigma: before, SigmaNext: a.highest(), Scale: 1, X: a.X, Denoised: a.denoised}
	a.step++
	if a.hook == nil {
		return nil
	}
	if err := a.hook(step); err != nil {
		return fmt.Errorf("sample: hook at step %d: %w", step.Index, err)
	}
	return nil
}

// row returns image i of an [N, dim] buffer.
func (a *adaptive) row(b []float64, i int) []float64 { return b[i*a.Dim : (i+1)*a.Dim] }

// bounded returns factor within [low, high]; an error that is not a number gives
// low.
func bounded(factor, low, high float64) float64 {
	if !(factor >= low) {
		return low
	}
	return min(factor, high)
}
