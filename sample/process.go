package sample

// Slope is the probability-flow ODE at one time (EDM Eq. 4 with the score
// (D - x/s) / sigma^2):
//
//	dx/dt = Linear x + Pull (x - Scale D(x/Scale; Sigma))
//
// with Linear = s'/s, Pull = sigma'/sigma and Scale = s.
type Slope struct {
	Sigma, Linear, Pull, Scale float64
}

// plain reports whether the state is not scaled.
func (s Slope) plain() bool { return s.Linear == 0 && s.Scale == 1 }

func (p Process) slope(t float64) Slope {
	sigma, deriv := p.Schedule.Sigma(t), p.Schedule.Deriv(t)
	s := p.Scaling.S(sigma)
	return Slope{Sigma: sigma, Linear: p.Scaling.Deriv(sigma, deriv) / s, Pull: deriv / sigma, Scale: s}
}

// Step writes x + h dx/dt to dst, for the denoised image of x: a step of Euler's. dst
// and x may be the same slice.
func (s Slope) Step(dst, x, denoised []float64, h float64) {
	x, denoised = x[:len(dst)], denoised[:len(dst)]
	pull := h * s.Pull
	if s.plain() {
		for j := range dst {
			dst[j] = x[j] + pull*(x[j]-denoised[j])
		}
		return
	}
	stay, towards := 1+h*s.Linear+pull, pull*s.Scale
	for j := range dst {
		dst[j] = stay*x[j] - towards*denoised[j]
	}
}

// Write writes dx/dt to dst, for the denoised image of x.
func (s Slope) Write(dst, x, denoised []float64) {
	x, denoised = x[:len(dst)], denoised[:len(dst)]
	stay, pull := s.Linear+s.Pull, s.Pull*s.Scale
	for j := range dst {
		dst[j] = stay*x[j] - pull*denoised[j]
	}
}
