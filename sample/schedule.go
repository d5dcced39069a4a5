package sample

import (
	"fmt"
	"math"
)

// karrasSigmas returns the numSteps+1 noise levels of EDM Eq. 5,
//
//	t_i = (sigma_max^(1/rho) + i/(N-1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho
//
// for i < N, and t_N = 0. The ends are exact; a single step starts at sigmaMax.
func karrasSigmas(numSteps int, sigmaMin, sigmaMax, rho float64) []float64 {
	sigmas := make([]float64, numSteps+1)
	from, to := math.Pow(sigmaMax, 1/rho), math.Pow(sigmaMin, 1/rho)
	for i := 1; i < numSteps-1; i++ {
		sigmas[i] = math.Pow(from+float64(i)/float64(numSteps-1)*(to-from), rho)
	}
	sigmas[numSteps-1] = sigmaMin
	sigmas[0] = sigmaMax
	return sigmas
}

// planSigmas returns the noise levels of o as den supports them: the range
// clipped to the network's, with a note for each end that moved, and every
// level but the final 0 rounded.
func planSigmas(den Denoiser, o Options) (sigmas []float64, notes []string, err error) {
	low, high := den.SigmaRange()
	lo, hi := max(o.SigmaMin, low), min(o.SigmaMax, high)
	if lo != o.SigmaMin {
		notes = append(notes, fmt.Sprintf("sigma_min %g raised to %g, the lowest noise level of the network", o.SigmaMin, lo))
	}
	if hi != o.SigmaMax {
		notes = append(notes, fmt.Sprintf("sigma_max %g lowered to %g, the highest noise level of the network", o.SigmaMax, hi))
	}
	if !(lo < hi) {
		return nil, nil, fmt.Errorf("noise levels %g to %g lie outside the network's %g to %g; change sigma_min or sigma_max",
			o.SigmaMin, o.SigmaMax, low, high)
	}
	sigmas = karrasSigmas(o.NumSteps, lo, hi, o.Rho)
	last := math.Inf(1)
	for i, sigma := range sigmas[:o.NumSteps] {
		sigma = den.RoundSigma(sigma)
		if !(sigma > 0 && sigma <= last) || math.IsInf(sigma, 1) {
			return nil, nil, fmt.Errorf("noise level %d of %d is %g after %g with rho %g; want a rho nearer 7",
				i, o.NumSteps, sigma, last, o.Rho)
		}
		sigmas[i], last = sigma, sigma
	}
	return sigmas, notes, nil
}
