package sample

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/solvers.md anew")

const (
	documentPath  = "../docs/solvers.md"
	measuredTitle = "## Measured order"
)

// TestSolversDocument holds docs/solvers.md to the solvers there are, their
// costs and their published constants. Its measured tables are written with
// -update and bounded by TestSolverOrder and TestSolverMoments.
func TestSolversDocument(t *testing.T) {
	stated := statedDocument(t)
	if *update {
		if err := os.WriteFile(documentPath, []byte(stated+measuredDocument(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	got, _, _ := strings.Cut(string(data), measuredTitle)
	if diff := cmp.Diff(stated, got); diff != "" {
		t.Errorf("docs/solvers.md is out of date: go test ./sample -run TestSolversDocument -update (-want +got):\n%s", diff)
	}
}

func statedDocument(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Solvers

Written by ` + "`go test ./sample -run TestSolversDocument -update`" + ` from package sample and from measurements.

NFE is the number of evaluations of D for N steps. Order is that of the error on the probability-flow ODE without fresh noise. "Noise" says when a solver adds any; constants are the published ones, and options that a solver has no use for are errors. Solvers under "any process" integrate every combination of ` + "`--schedule`" + ` and ` + "`--scaling`" + `; the others work on noise levels alone, which these do not change, and refuse them.

| solver | method | order | NFE | noise | constants | any process |
|---|---|---|---|---|---|---|
`)
	for _, s := range solvers() {
		o, err := SettingsFor(s.name)
		if err != nil {
			t.Fatal(err)
		}
		process := ""
		if s.uses&useProcess != 0 {
			process = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", s.name, s.about, orderWords(s), costWords(s, o), noiseWords(s, o), constantWords(s, o), process)
	}
	b.WriteString(`
Adaptive solvers step each image by itself, so that an image does not depend on its batch; they take no ` + "`--steps`" + `.

## Steps

| ` + "`--disc`" + ` | noise levels | sigma_max | sigma_min | rho |
|---|---|---|---|---|
`)
	for _, d := range discretizations() {
		rho := ""
		if d.usesRho {
			rho = fmt.Sprint(d.rho)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %.4g | %.4g | %s |\n", d.name, d.about, d.sigmaMax, d.sigmaMin, rho)
	}
	b.WriteString("\nThe range is clipped to what the network supports, with a note; levels are rounded to the network's own where it has few.\n\n")
	return b.String()
}

func orderWords(s named) string {
	if s.order == 0 {
		return ""
	}
	return fmt.Sprint(s.order)
}

// costWords returns the cost as a formula of N: it is linear in N once the
// start is over.
func costWords(s named, o Settings) string {
	if s.adaptive() {
		return "by tolerance"
	}
	at := s.value(&o).Evaluations
	slope := at(101) - at(100)
	rest := at(100) - 100*slope
	switch {
	case rest == 0 && slope == 1:
		return "N"
	case rest == 0:
		return fmt.Sprintf("%d N", slope)
	case slope == 1:
		return fmt.Sprintf("N %+d", rest)
	}
	return fmt.Sprintf("%d N %+d", slope, rest)
}

func noiseWords(s named, o Settings) string {
	switch {
	case s.uses&useChurn != 0:
		return "with S_churn"
	case s.stochastic(&o):
		return "always"
	case s.uses&(useEta|useBeta) != 0:
		return "with eta"
	}
	return ""
}

func constantWords(s named, o Settings) string {
	var words []string
	for _, c := range constants() {
		if s.uses&c.use == 0 {
			continue
		}
		if v := c.get(&o); math.IsInf(v, 0) {
			words = append(words, c.name+" inf")
		} else {
			words = append(words, fmt.Sprintf("%s %g", c.name, v))
		}
	}
	return strings.Join(words, ", ")
}

func measuredDocument(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(measuredTitle + `

RMS error at sigma_min of 32 images of a two-dimensional mixture of three Gaussians, EDM's steps, without fresh noise, against 4096 steps of rk4 from the same latents; the order is the slope from N = 128 to 1024. The step from sigma_min to 0 is left out: its error depends on sigma_min, not on N. ` + "`go test ./sample -run TestSolverOrder -v`" + ` shows it, ` + "`TestFamilyOrder`" + ` the members of families and other processes.

| solver | N = 128 | 256 | 512 | 1024 | measured order | stated |
|---|---|---|---|---|---|---|
`)
	for _, s := range solvers() {
		if s.order == 0 || s.adaptive() {
			continue
		}
		errs, order := measureOrder(t, deterministic(options(s.name, 64)))
		fmt.Fprintf(&b, "| `%s` | %.1e | %.1e | %.1e | %.1e | %.2f | %g |\n", s.name, errs[0], errs[1], errs[2], errs[3], order, s.order)
	}
	b.WriteString(`
## Moments of Gaussian data

How far off the variance of the images is, relative to the data's own, the worse of two axes with variances 0.49 and 0.04, S_churn 30 for solvers with churn and the published constants for the others. On Gaussian data each of these solvers is an affine map of its latents and draws, so the moments follow from impulses, without statistical error; the means are exact. ` + "`go test ./sample -run TestSolverMoments -v`" + ` shows it; ` + "`TestMonteCarloMoments`" + ` holds mean and covariance of 10,000 drawn images to it within 5 standard errors.

| solver | N = 32 | 64 | 128 | 256 | 512 | 1024 | weak order |
|---|---|---|---|---|---|---|---|
`)
	for _, c := range sdeCases() {
		rate, biases := checkBias(t, c, momentSteps())
		fmt.Fprintf(&b, "| `%s` |", c.solver)
		for _, v := range biases {
			fmt.Fprintf(&b, " %+.1e |", v)
		}
		fmt.Fprintf(&b, " %.2f |\n", rate)
	}
	b.WriteString(`
Two solvers keep a bias that their constants set, not the number of steps: annealed Langevin dynamics leaves the variance of a level too large by a fraction k/2, k = step_size / (2 sigma_min^2), and predictor-corrector by about SNR^2 (0.0256 with the published 0.16).

## Adaptive solvers

Evaluations an image and RMS error of ` + "`adaptive-ode`" + `, with rtol = atol, on Gaussian data with a closed-form solution (` + "`go test ./sample -run TestAdaptiveODE -v`" + `): 57 and 4.6e-4 at 1e-3, 78 and 4.4e-5 at 1e-4, 120 and 3.9e-6 at 1e-5, 173 and 2.7e-7 at 1e-6.

` + "`adaptive-sde`" + ` keeps the Brownian path when it refuses a step; drawing anew, as published, gave 1.25 to 2.1 times the variance at tolerances 0.1 to 0.01 in two dimensions. Step sizes still depend on the noise ahead, which leaves the variance 1 % low at rtol 0.01 on data of 64 dimensions, and more on narrow data.
`)
	return b.String()
}
