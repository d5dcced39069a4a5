package sample

// ddimSolver is DDIM (Song et al. 2021, Eq. 12 and 16) on any noise levels. For
// the unscaled state x/s its step is
//
//	x = D + sqrt(next^2 - up^2) (x - D)/sigma + up n, up = eta next sqrt(1 - (next/sigma)^2),
//
// which is euler-ancestral with another default: eta 0, where it is Euler's
// method on the ODE in sigma. eta 1 is ddpm. One evaluation a step, N in all,
// and with eta above 0 one draw a step but the last.
func ddimSolver() solver {
	return solver{
		name:      "ddim",
		about:     "DDIM (Song et al. 2021, Eq. 12): eta 0 is euler, eta 1 is ddpm",
		order:     1,
		uses:      useEta | useNoise,
		nfe:       onePerStep,
		draws:     drawPerStepButLast,
		integrate: integrateEulerAncestral,
	}
}
