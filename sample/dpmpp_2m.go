package sample

// dpmpp2mSolver is DPM-Solver++(2M) (Lu et al. 2022b, Alg. 2): the exponential
// method in lambda = -ln sigma with the denoised image extrapolated from the
// step before to the middle of this one. The first step and the last, to 0, are
// Euler's. One evaluation a step, N in all.
func dpmpp2mSolver() solver {
	return solver{
		name:      "dpmpp-2m",
		about:     "DPM-Solver++(2M): multistep of order 2 in ln sigma (Lu et al. 2022b, Alg. 2)",
		order:     2,
		nfe:       onePerStep,
		integrate: integrateDPMpp2mSDE, // eta is 0
	}
}
