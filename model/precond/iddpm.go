package precond

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// IDDPMName is the name of the iDDPM preconditioning, for New and in snapshots.
const IDDPMName = "iddpm"

// maxSteps limits the table that a hostile file can ask for.
const maxSteps = 1 << 20

// IDDPM is the preconditioning of improved DDPM (Nichol & Dhariwal 2021) and of
// ADM (EDM Table 1, third column; EDM App. C.3): the network knows the M noise
// levels u_0 > u_1 > ... > u_(M-1) and u_M = 0 and is told the number of one,
// counted from the lowest. Every other level is rounded to the nearest of them.
type IDDPM struct {
	c1, c2 float64
	u      []float64 // M+1 levels, falling to 0; never written
}

// DefaultIDDPM returns the published constants: C_1 0.001, C_2 0.008 and M
// 1000.
func DefaultIDDPM() IDDPM { return IDDPM{0.001, 0.008, cosineLevels(0.001, 0.008, 1000)} }

// NewIDDPM returns the preconditioning with the noise levels of the cosine
// schedule (EDM Table 1, "Parameters"): C_1 is the least ratio of consecutive
// alpha-bar, C_2 the schedule's offset and M the number of levels above 0.
func NewIDDPM(c1, c2 float64, m int) (IDDPM, error) {
	var errs []error
	if !(c1 > 0 && c1 < 1) {
		errs = append(errs, fmt.Errorf("C_1 is %g, want a number between 0 and 1", c1))
	}
	if !(c2 > 0) || math.IsInf(c2, 1) {
		errs = append(errs, fmt.Errorf("C_2 is %g, want a finite number above 0", c2))
	}
	if m < 2 || m > maxSteps {
		errs = append(errs, fmt.Errorf("M is %d, want 2 to %d", m, maxSteps))
	}
	if err := errors.Join(errs...); err != nil {
		return IDDPM{}, err
	}
	p := IDDPM{c1, c2, cosineLevels(c1, c2, m)}
	return p, checkLevels(p.u)
}

func newIDDPM(params map[string]float64) (Preconditioning, error) {
	d := DefaultIDDPM()
	m := float64(d.M())
	if err := assign(params, map[string]*float64{"C_1": &d.c1, "C_2": &d.c2, "M": &m}); err != nil {
		return nil, err
	}
	if m != math.Trunc(m) || !(math.Abs(m) <= 2*maxSteps) {
		return nil, fmt.Errorf("M is %g, want a whole number up to %d", m, maxSteps)
	}
	p, err := NewIDDPM(d.c1, d.c2, int(m))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// cosineLevels returns u_0 to u_m, where u_m = 0 and, going back,
//
//	u_(j-1) = sqrt((u_j^2 + 1) / max(abar_(j-1)/abar_j, C_1) - 1)
//	abar_j  = sin^2(pi/2 * j / (m (C_2 + 1)))
func cosineLevels(c1, c2 float64, m int) []float64 {
	abar := func(j int) float64 {
		s := math.Sin(math.Pi / 2 * float64(j) / (float64(m) * (c2 + 1)))
		return s * s
	}
	u := make([]float64, m+1)
	for j := m; j > 0; j-- {
		u[j-1] = math.Sqrt((u[j]*u[j]+1)/max(abar(j-1)/abar(j), c1) - 1)
	}
	return u
}

// checkLevels reports a table that is not a strictly falling one of finite
// levels above a last 0.
func checkLevels(u []float64) error {
	if len(u) < 3 || len(u) > maxSteps+1 {
		return fmt.Errorf("table of %d noise levels, want 3 to %d", len(u), maxSteps+1)
	}
	if last := u[len(u)-1]; last != 0 {
		return fmt.Errorf("the last noise level of the table is %g, want 0", last)
	}
	for j := range u[1:] {
		if !(u[j] > u[j+1]) || math.IsInf(u[j], 1) {
			return fmt.Errorf("noise levels %d and %d of the table are %g and %g, want finite falling ones", j, j+1, u[j], u[j+1])
		}
	}
	return nil
}

// WithTable returns p with the noise levels u instead of the formula's: those a
// loaded network was trained with. u must fall strictly, be finite and end in
// 0; it is copied.
func (p IDDPM) WithTable(u []float64) (IDDPM, error) {
	if err := checkLevels(u); err != nil {
		return p, fmt.Errorf("precond: %s: %w", IDDPMName, err)
	}
	p.u = slices.Clone(u)
	return p, nil
}

// Table returns a new copy of the M+1 noise levels u, highest first, 0 last.
func (p IDDPM) Table() []float64 { return slices.Clone(p.u) }

// M returns the number of noise levels above 0.
func (p IDDPM) M() int { return len(p.u) - 1 }

// Equal reports whether p and q have the same constants and noise levels.
func (p IDDPM) Equal(q IDDPM) bool { return p.c1 == q.c1 && p.c2 == q.c2 && slices.Equal(p.u, q.u) }

// Near reports whether p and q have the same number of noise levels and each of
// them is within a fraction of q's.
func (p IDDPM) Near(q IDDPM, fraction float64) bool {
	return slices.EqualFunc(p.u, q.u, func(a, b float64) bool { return math.Abs(a-b) <= fraction*b })
}

// Name returns "iddpm".
func (p IDDPM) Name() string { return IDDPMName }

// Params returns C_1, C_2 and M. They do not hold a table given to WithTable.
func (p IDDPM) Params() map[string]float64 {
	return map[string]float64{"C_1": p.c1, "C_2": p.c2, "M": float64(p.M())}
}

// Coeffs returns the coefficients at sigma (EDM Table 1), which may be 0:
//
//	c_skip  = 1
//	c_out   = -sigma
//	c_in    = 1 / sqrt(sigma^2 + 1)
//	c_noise = M - 1 - j where u_j is nearest to sigma
func (p IDDPM) Coeffs(sigma float64) Coeffs {
	return Coeffs{CSkip: 1, COut: -sigma, CIn: 1 / math.Hypot(sigma, 1), CNoise: float64(p.M() - 1 - p.nearest(sigma))}
}

// nearest returns the index of the noise level nearest to sigma; of two equally
// near the higher level's.
func (p IDDPM) nearest(sigma float64) int {
	below := sort.Search(len(p.u), func(j int) bool { return p.u[j] <= sigma })
	switch {
	case below == 0:
		return 0
	case below == len(p.u):
		return p.M()
	case p.u[below-1]-sigma <= sigma-p.u[below]:
		return below - 1
	}
	return below
}

// RoundSigma returns the noise level of the table that is nearest to sigma; 0 is
// one of them.
func (p IDDPM) RoundSigma(sigma float64) float64 { return p.u[p.nearest(sigma)] }

// SigmaRange returns the lowest noise level above 0 and the highest.
func (p IDDPM) SigmaRange() (min, max float64) { return p.u[p.M()-1], p.u[0] }
