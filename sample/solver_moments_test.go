package sample

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// sdeCase is what a stochastic solver does to the variance of Gaussian data.
type sdeCase struct {
	solver string
	rate   float64 // the weak order: the bias of the variance falls as N^-rate
	bias   float64 // bound on it at N = 256, relative to the data's variance
}

// sdeCases lists the stochastic solvers whose images are an affine map of
// latents and draws and come to the data as steps are added. A bias of order 2
// under ancestral solvers is the error of their ODE steps alone: going exactly
// to below a noise level and adding noise up to it would keep the distribution.
func sdeCases() []sdeCase {
	return []sdeCase{
		{"euler", 1, 0.085},
		{"heun", 2, 0.004},
		{"dpm2", 2, 0.004},
		{"euler-ancestral", 1, 0.06},
		{"ddpm", 1, 0.06},
		{"sde-euler", 1, 0.025},
		{"sde-heun", 2, 0.0006},
		{"dpm2-ancestral", 2, 0.002},
		{"dpmpp-2s-ancestral", 2, 0.002},
		{"dpmpp-sde", 2, 0.0006},
		{"dpmpp-2m-sde", 2, 0.002},
		{"dpmpp-3m-sde", 2, 0.001},
	}
}

// langevinSolvers keep a bias that their own constants set, not the number of
// steps; they have tests of their own.
func langevinSolvers() []string { return []string{"annealed-langevin", "predictor-corrector"} }

// TestSolverMoments measures the mean and the variance that every stochastic
// solver gives to Gaussian data, without statistical error, with its published
// constants and plenty of churn.
func TestSolverMoments(t *testing.T) {
	steps := momentSteps()
	table := fmt.Sprintf("\n%-20s %10s   variance off by, relative to the data's, after N steps\n%-20s %10s", "solver", "weak order", "", "")
	for _, n := range steps {
		table += fmt.Sprintf(" %9d", n)
	}
	listed := langevinSolvers()
	for _, c := range sdeCases() {
		listed = append(listed, c.solver)
		t.Run(c.solver, func(t *testing.T) {
			rate, biases := checkBias(t, c, steps)
			table += fmt.Sprintf("\n%-20s %10.2f", c.solver, rate)
			for _, b := range biases {
				table += fmt.Sprintf(" %+9.1e", b)
			}
		})
	}
	t.Log(table)
	for _, name := range Solvers() {
		info, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		if (info.Stochastic || info.Churn) && !info.Adaptive && !slices.Contains(listed, name) {
			t.Errorf("solver %s is stochastic, but the moments it should have are not stated", name)
		}
	}
}

// momentSteps are the numbers of steps that the moments are measured after.
func momentSteps() []int { return []int{32, 64, 128, 256, 512, 1024} }

// checkBias holds one solver to its case and returns its weak order and, for
// each number of steps, how far off the data's variance it is.
func checkBias(t *testing.T, c sdeCase, steps []int) (rate float64, biases []float64) {
	g := axes{mean: []float64{0.6, -0.3}, variance: []float64{0.49, 0.04}}
	o := churned(options(c.solver, 1))
	o.SNoise = 1      // more would inflate the variance, on purpose
	o.SigmaMin = 1e-4 // the step from there to 0 loses sigma_min^2 of variance
	var lnH, lnBias []float64
	for _, n := range steps {
		o.NumSteps = n
		mean, variance := impulseBias(t, mustNew(t, g, o), g)
		for k, m := range mean {
			if !(math.Abs(m) <= 1e-9) { // D(mean) is the mean: it never moves
				t.Errorf("N = %d: mean of axis %d off by %g standard deviations", n, k, m)
			}
		}
		worst := variance[0]
		if math.Abs(variance[1]) > math.Abs(worst) {
			worst = variance[1]
		}
		biases = append(biases, worst)
		if n == 256 && !(math.Abs(worst) <= c.bias) {
			t.Errorf("N = %d: variance off by %g of the data's, want at most %g", n, worst, c.bias)
		}
		if n >= 256 {
			lnH, lnBias = append(lnH, -math.Log(float64(n))), append(lnBias, math.Log(math.Abs(worst)))
		}
	}
	rate = fitSlope(lnH, lnBias)
	if !(math.Abs(rate-c.rate) <= 0.15) {
		t.Errorf("the variance converges as N^-%.2f, want N^-%g", rate, c.rate)
	}
	return rate, biases
}
