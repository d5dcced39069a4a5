package sample

// ddpmSolver is DDPM's ancestral sampler (Ho et al. 2020, Alg. 2) on any noise
// levels: a draw from the posterior q(x_{t-1} | x_t, x_0 = D), with DDPM's
// smaller choice of variance, the posterior's own (beta-tilde, "fixed small").
// DDPM's state has the scale s = 1/sqrt(1 + sigma^2); for x/s the posterior
// between noise levels sigma and next is
//
//	N(D + (next/sigma)^2 (x - D), next^2 (1 - (next/sigma)^2)),
//
// which is euler-ancestral and ddim with eta 1. One evaluation a step, N in
// all, and one draw a step but the last.
func ddpmSolver() solver {
	return solver{
		name:      "ddpm",
		about:     "DDPM's ancestral sampler with the posterior's variance (Ho et al. 2020, Alg. 2); euler-ancestral with eta 1",
		uses:      useNoise,
		nfe:       onePerStep,
		draws:     drawPerStepButLast,
		integrate: func(r *run) error { return r.ancestralSteps(1) },
	}
}
