package sample

// Heun is the family of two-stage methods of order 2 on the probability-flow ODE (EDM
// App. D.3): an Euler step of Alpha h, and a step of h along the mean of both slopes
// with weights 1 - 1/(2 Alpha) and 1/(2 Alpha), everywhere but in the last step, to 0,
// which is Euler's. Alpha = 1 is Heun's method, EDM Alg. 1 and with churn EDM Alg. 2;
// 2/3 is Ralston's and 1/2 the midpoint method. Two evaluations a step, 2N-1 in all.
type Heun struct {
	Alpha float64 // place of the second evaluation, as a fraction of the step
	Churn Churn
}

// DefaultHeun returns EDM Alg. 1.
func DefaultHeun() Heun { return Heun{Alpha: 1} }

// Evaluations returns 2N-1.
func (s Heun) Evaluations(steps int) int { return twoPerStepButLast(steps) }

// Draws returns one a step with churn.
func (s Heun) Draws(steps int) int { return s.Churn.draws(steps) }

// Validate returns the faults of the constants.
func (s Heun) Validate() error {
	f := s.Churn.faults()
	f.fraction("Alpha", s.Alpha)
	return f.err(s)
}

func (s Heun) wants(r *Run, draw int) bool { return s.Churn.wants(r, draw) }

// Integrate implements Solver.
func (s Heun) Integrate(r *Run) error {
	d, xNext, dNext := r.Buffer(0), r.Buffer(1), r.Buffer(2)
	second := 1 / (2 * s.Alpha)
	for i, tNext := range r.Times[1:] {
		tHat, err := s.Churn.raise(r, i, xNext)
		if err != nil {
			return err
		}
		at, h := r.Slope(tHat), tNext-tHat
		if err := r.Denoise(d, r.X, i, at); err != nil {
			return err
		}
		if tNext == 0 {
			at.Step(r.X, r.X, d, h)
		} else {
			at.Step(xNext, r.X, d, s.Alpha*h)
			atNext := r.Slope(r.between(i, tHat, s.Alpha))
			if err := r.Denoise(dNext, xNext, i, atNext); err != nil {
				return err
			}
			addSlope(r.X, r.X, d, at, (1-second)*h, xNext, dNext, atNext, second*h)
		}
		if err := r.StepDone(i, at.Sigma, d); err != nil {
			return err
		}
	}
	return nil
}

// between returns the time a fraction of the way from t to the end of step i,
// which is exact for 1.
func (r *Run) between(i int, t, fraction float64) float64 {
	next := r.Times[i+1]
	if fraction == 1 {
		return next
	}
	return t + fraction*(next-t)
}

// addSlope adds h1 times the slope at (x1, d1) and h2 times the slope at (x2,
// d2) to x. x and x1 may be the same slice.
func addSlope(x, x1, d1 []float64, s1 Slope, h1 float64, x2, d2 []float64, s2 Slope, h2 float64) {
	x1, d1, x2, d2 = x1[:len(x)], d1[:len(x)], x2[:len(x)], d2[:len(x)]
	a, b := h1*s1.Pull, h2*s2.Pull
	if s1.plain() && s2.plain() {
		for j := range x {
			x[j] += a*(x1[j]-d1[j]) + b*(x2[j]-d2[j])
		}
		return
	}
	stay1, stay2 := h1*s1.Linear+a, h2*s2.Linear+b
	a, b = a*s1.Scale, b*s2.Scale
	for j := range x {
		x[j] += stay1*x1[j] - a*d1[j] + stay2*x2[j] - b*d2[j]
	}
}
