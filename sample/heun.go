package sample

// heunSolver is the family of two-stage methods of order 2 on the
// probability-flow ODE (EDM App. D.3): an Euler step of alpha h, and a step of h
// along the mean of both slopes with weights 1 - 1/(2 alpha) and 1/(2 alpha),
// everywhere but in the last step, to 0, which is Euler's. alpha = 1 is Heun's
// method, EDM Alg. 1 and with churn EDM Alg. 2; 2/3 is Ralston's and 1/2 the
// midpoint method. Two evaluations a step, 2N-1 in all.
func heunSolver() solver {
	return solver{
		name:      "heun",
		about:     "two-stage methods of order 2 on the ODE, with or without churn (EDM Alg. 1 and 2); alpha chooses among them",
		order:     2,
		uses:      useProcess | useChurn | useNoise | useAlpha,
		nfe:       twoPerStepButLast,
		draws:     churnDraws,
		integrate: integrateHeun,
	}
}

// twoPerStepButLast is the cost of two-stage solvers whose last step is
// Euler's.
func twoPerStepButLast(_ *Options, sigmas []float64) int { return 2*(len(sigmas)-1) - 1 }

func integrateHeun(r *run) error {
	denoised, xNext, denoisedNext := r.buffer(0), r.buffer(1), r.buffer(2)
	second := 1 / (2 * r.opts.Alpha)
	for i, tNext := range r.times[1:] {
		tHat, err := r.churn(i, xNext)
		if err != nil {
			return err
		}
		at, h := r.process.slope(tHat), tNext-tHat
		if err := r.denoise(denoised, r.x, i, at); err != nil {
			return err
		}
		if tNext == 0 {
			eulerStep(r.x, r.x, denoised, at, h)
		} else {
			eulerStep(xNext, r.x, denoised, at, r.opts.Alpha*h)
			atNext := r.process.slope(r.between(i, tHat, r.opts.Alpha))
			if err := r.denoise(denoisedNext, xNext, i, atNext); err != nil {
				return err
			}
			addSlope(r.x, r.x, denoised, at, (1-second)*h, xNext, denoisedNext, atNext, second*h)
		}
		if err := r.stepDone(i, at.sigma, denoised); err != nil {
			return err
		}
	}
	return nil
}

// between returns the time a fraction of the way from t to the end of step i,
// which is exact for 1.
func (r *run) between(i int, t, fraction float64) float64 {
	next := r.times[i+1]
	if fraction == 1 {
		return next
	}
	return t + fraction*(next-t)
}

// addSlope adds h1 times the slope at (x1, d1) and h2 times the slope at (x2,
// d2) to x. x and x1 may be the same slice.
func addSlope(x, x1, d1 []float64, s1 slope, h1 float64, x2, d2 []float64, s2 slope, h2 float64) {
	x1, d1, x2, d2 = x1[:len(x)], d1[:len(x)], x2[:len(x)], d2[:len(x)]
	a, b := h1*s1.pull, h2*s2.pull
	if s1.plain() && s2.plain() {
		for j := range x {
			x[j] += a*(x1[j]-d1[j]) + b*(x2[j]-d2[j])
		}
		return
	}
	stay1, stay2 := h1*s1.linear+a, h2*s2.linear+b
	a, b = a*s1.scale, b*s2.scale
	for j := range x {
		x[j] += stay1*x1[j] - a*d1[j] + stay2*x2[j] - b*d2[j]
	}
}
