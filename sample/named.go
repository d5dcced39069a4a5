package sample

import (
	"fmt"

	"edm/model/noise"
)

// named is a solver by its name.
type named struct {
	name  string
	about string // one line: the method and where it is from
	// order is the measured order of convergence of its deterministic form; 0
	// for solvers that are stochastic whatever their options.
	order float64
	uses  use
	// defaults sets the published constants that differ from DefaultSettings.
	defaults func(o *Settings)
	value    func(o *Settings) Solver
}

// adaptive reports whether the solver chooses its own steps.
func (s named) adaptive() bool { return s.uses&useTolerance != 0 }

func (o *Settings) churn() Churn {
	if o.SChurn == 0 {
		return Churn{}
	}
	return Churn{Amount: o.SChurn, Min: o.SMin, Max: o.SMax, Noise: o.SNoise}
}

func (o *Settings) rate() Rate {
	if o.BetaFunc != nil {
		return o.BetaFunc
	}
	return ConstantRate(o.Beta)
}

// fullEta and fullBeta set the published amounts of fresh noise.
func fullEta(o *Settings)  { o.Eta = 1 }
func fullBeta(o *Settings) { o.Beta = 1 }

// solvers lists every solver.
func solvers() []named {
	return []named{
		{name: "euler", about: "Euler's method on the ODE (EDM Eq. 4); DDIM for VP data", order: 1, uses: useProcess | useChurn | useNoise,
			value: func(o *Settings) Solver { return Euler{o.churn()} }},
		{name: "heun", about: "two-stage methods of order 2 on the ODE, with or without churn (EDM Alg. 1 and 2); alpha chooses among them", order: 2,
			uses:  useProcess | useChurn | useNoise | useAlpha,
			value: func(o *Settings) Solver { return Heun{o.Alpha, o.churn()} }},
		{name: "rk4", about: "the classic Runge-Kutta method on the ODE; order 4 down to sigma_min, Euler in the last step, to 0", order: 4, uses: useProcess,
			value: func(*Settings) Solver { return RK4{} }},
		{name: "dpm2", about: "DPM-Solver-2: a step along the slope at the middle in ln sigma (Lu et al. 2022), with or without churn", order: 2,
			uses:  useChurn | useNoise,
			value: func(o *Settings) Solver { return DPM2{Churn: o.churn()} }},
		{name: "lms", about: "linear multistep (Adams-Bashforth) of up to Order slopes on the ODE in sigma; starts with lower orders", order: 4, uses: useOrder,
			defaults: func(o *Settings) { o.Order = DefaultLMS().Order },
			value:    func(o *Settings) Solver { return LMS{Order: o.Order} }},
		{name: "dpmpp-2m", about: "DPM-Solver++(2M): multistep of order 2 in ln sigma (Lu et al. 2022b, Alg. 2)", order: 2,
			value: func(*Settings) Solver { return DPMPP2M{} }},
		{name: "euler-ancestral", about: "ancestral sampling: Euler to below the step's end, then noise up to it (score SDE Eq. 47); eta 0 is euler", order: 1,
			uses: useEta | useNoise, defaults: fullEta,
			value: func(o *Settings) Solver { return EulerAncestral{Eta: o.Eta, SNoise: o.SNoise} }},
		{name: "dpm2-ancestral", about: "dpm2 to below the step's end, then noise up to it; eta 0 is dpm2", order: 2,
			uses: useEta | useNoise, defaults: fullEta,
			value: func(o *Settings) Solver { return DPM2Ancestral{Eta: o.Eta, SNoise: o.SNoise} }},
		{name: "dpmpp-2s-ancestral", about: "DPM-Solver++(2S) to below the step's end, then noise up to it; eta 0 is DPM-Solver++(2S)", order: 2,
			uses: useEta | useNoise, defaults: fullEta,
			value: func(o *Settings) Solver { return DPMPP2SAncestral{Eta: o.Eta, SNoise: o.SNoise} }},
		{name: "dpmpp-sde", about: "DPM-Solver++ for the SDE with an inner evaluation at R of the step; eta 0 is DPM-Solver++(2S)", order: 2,
			uses: useEta | useNoise | useR, defaults: func(o *Settings) { o.Eta, o.R = 1, DefaultDPMPPSDE().R },
			value: func(o *Settings) Solver { return DPMPPSDE{Eta: o.Eta, SNoise: o.SNoise, R: o.R} }},
		{name: "dpmpp-2m-sde", about: "SDE-DPM-Solver++(2M), midpoint form: multistep in ln sigma (Lu et al. 2022b); eta 0 is dpmpp-2m", order: 2,
			uses: useEta | useNoise, defaults: fullEta,
			value: func(o *Settings) Solver { return DPMPP2MSDE{Eta: o.Eta, SNoise: o.SNoise} }},
		{name: "dpmpp-3m-sde", about: "SDE-DPM-Solver++(3M): multistep with two steps of memory in ln sigma; its published form is of order 2", order: 2,
			uses: useEta | useNoise, defaults: fullEta,
			value: func(o *Settings) Solver { return DPMPP3MSDE{Eta: o.Eta, SNoise: o.SNoise} }},
		{name: "sde-euler", about: "Euler-Maruyama on the general SDE (EDM Eq. 6) with any schedule and scaling; beta 0 is euler", order: 1,
			uses: useProcess | useBeta | useNoise, defaults: fullBeta,
			value: func(o *Settings) Solver { return SDEEuler{o.rate(), o.SNoise} }},
		{name: "sde-heun", about: "stochastic Heun on the general SDE (EDM Eq. 6) with any schedule and scaling; beta 0 is heun", order: 2,
			uses: useProcess | useBeta | useNoise, defaults: fullBeta,
			value: func(o *Settings) Solver { return SDEHeun{o.rate(), o.SNoise} }},
		{name: "ddpm", about: "DDPM's ancestral sampler with the posterior's variance (Ho et al. 2020, Alg. 2); euler-ancestral with eta 1", uses: useNoise,
			value: func(o *Settings) Solver { return DDPM{SNoise: o.SNoise} }},
		{name: "ddim", about: "DDIM (Song et al. 2021, Eq. 12): eta 0 is euler, eta 1 is ddpm", order: 1, uses: useEta | useNoise,
			value: func(o *Settings) Solver { return DDIM{Eta: o.Eta, SNoise: o.SNoise} }},
		{name: "annealed-langevin", about: "Langevin dynamics at each noise level in turn (NCSN Alg. 1), then the denoised image",
			uses: useCorrections | useStepSize | useNoise, defaults: ncsnDefaults,
			value: func(o *Settings) Solver {
				return AnnealedLangevin{Corrections: o.Corrections, StepSize: o.StepSize, SNoise: o.SNoise}
			}},
		{name: "predictor-corrector", about: "reverse diffusion steps, each corrected by Langevin steps of a fixed signal-to-noise ratio (score SDE Alg. 2)",
			uses: useCorrections | useSNR | useNoise, defaults: scoreSDEDefaults,
			value: func(o *Settings) Solver {
				return PredictorCorrector{Corrections: o.Corrections, SNR: o.SNR, SNoise: o.SNoise}
			}},
		{name: "adaptive-ode", about: "Dormand-Prince 5(4) on the ODE, with step sizes by tolerance for each image (rtol and atol 1e-5 as in score SDE)", order: 5,
			uses: useTolerance, defaults: func(o *Settings) {
				d := DefaultAdaptiveODE()
				o.RTol, o.ATol, o.MaxNFE = d.RTol, d.ATol, d.MaxNFE
			},
			value: func(o *Settings) Solver { return AdaptiveODE{RTol: o.RTol, ATol: o.ATol, MaxNFE: o.MaxNFE} }},
		{name: "adaptive-sde", about: "stochastic Heun on the reverse SDE, with step sizes by tolerance for each image (Jolicoeur-Martineau et al. 2021)", order: 2,
			uses: useBeta | useNoise | useTolerance, defaults: func(o *Settings) {
				d := DefaultAdaptiveSDE()
				o.Beta, o.RTol, o.ATol, o.MaxNFE = 1, d.RTol, d.ATol, d.MaxNFE
			},
			value: func(o *Settings) Solver {
				return AdaptiveSDE{Beta: o.rate(), SNoise: o.SNoise, RTol: o.RTol, ATol: o.ATol, MaxNFE: o.MaxNFE}
			}},
	}
}

func scoreSDEDefaults(o *Settings) {
	d := DefaultPredictorCorrector()
	o.Corrections, o.SNR = d.Corrections, d.SNR
}

func ncsnDefaults(o *Settings) {
	ncsn := NCSN()
	solver, levels := ncsn.Solver.(AnnealedLangevin), ncsn.Levels.(Geometric)
	o.NumSteps, o.Disc, o.SigmaMin, o.SigmaMax = ncsn.NumSteps, "exponential", levels.Min, levels.Max
	o.Corrections, o.StepSize = solver.Corrections, solver.StepSize
}

// Solvers returns the names that Settings.Solver takes.
func Solvers() []string {
	all := solvers()
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	return names
}

func solverByName(name string) (named, bool) {
	for _, s := range solvers() {
		if s.name == name {
			return s, true
		}
	}
	return named{}, false
}

// SolverInfo describes a solver.
type SolverInfo struct {
	Name       string
	About      string  // one line: the method and where it is from
	Order      float64 // of convergence without fresh noise; 0 for solvers that always add some
	Stochastic bool    // adds fresh noise with its published constants
	Adaptive   bool    // chooses its own steps by tolerances
	Process    bool    // integrates any schedule and scaling, not only noise levels
	Churn      bool    // takes SChurn
}

// Describe returns the properties of a solver.
func Describe(name string) (SolverInfo, error) {
	o, err := SettingsFor(name)
	if err != nil {
		return SolverInfo{}, err
	}
	s, _ := solverByName(name)
	return SolverInfo{
		Name: s.name, About: s.about, Order: s.order, Stochastic: s.stochastic(&o), Adaptive: s.adaptive(),
		Process: s.uses&useProcess != 0, Churn: s.uses&useChurn != 0,
	}, nil
}

// stochastic reports whether a run of some steps with o needs a source of noise.
func (s named) stochastic(o *Settings) bool { return s.value(o).Draws(2) > 0 }

// StepsFor returns the largest number of steps with which o makes at most nfe
// evaluations. A budget below that of one step is an error, as is a solver
// that chooses its own steps.
func StepsFor(o Settings, nfe int) (int, error) {
	s, ok := solverByName(o.Solver)
	if !ok || s.adaptive() {
		return 0, fmt.Errorf("sample: solver %q has no fixed number of evaluations a step", o.Solver)
	}
	solver := s.value(&o)
	if least := solver.Evaluations(1); nfe < least {
		return 0, fmt.Errorf("sample: %d evaluations are too few for solver %s, which takes at least %d", nfe, o.Solver, least)
	}
	return StepsWithin(solver, nfe)
}

// placement is a placement of the steps by its name.
type placement struct {
	name  string
	about string
	// sigmaMin and sigmaMax are the published range.
	sigmaMin, sigmaMax float64
	usesRho            bool
	rho                float64 // published exponent, where usesRho
	value              func(o *Settings) Levels
}

// discretizations lists every placement.
func discretizations() []placement {
	vp := noise.DefaultVP()
	geometric := func(o *Settings) Levels { return Geometric{o.SigmaMin, o.SigmaMax} }
	return []placement{
		{"edm", "even in sigma^(1/rho) (EDM Eq. 5), k-diffusion's karras", 0.002, 80, true, 7,
			func(o *Settings) Levels { return Karras{o.SigmaMin, o.SigmaMax, o.Rho} }},
		{"vp", "even in VP's time (EDM Table 1)", vp.Sigma(1e-3), vp.Sigma(1), false, 7,
			func(o *Settings) Levels { return VPLevels{o.SigmaMin, o.SigmaMax, o.EpsilonS} }},
		{"ve", "a geometric series (EDM Table 1, VE)", 0.02, 100, false, 7, geometric},
		{"iddpm", "evenly from iDDPM's 1000 cosine levels (EDM Table 1)", 0.002, 81, false, 7,
			func(o *Settings) Levels { return IDDPMLevels{o.SigmaMin, o.SigmaMax} }},
		{"exponential", "even in ln sigma, as ve, over EDM's range", 0.002, 80, false, 7, geometric},
		{"polyexponential", "a power rho of even steps in ln sigma; 1 is exponential", 0.002, 80, true, 1,
			func(o *Settings) Levels { return PolyExponential{o.SigmaMin, o.SigmaMax, o.Rho} }},
		{"linear", "even in sigma", 0.002, 80, false, 7, func(o *Settings) Levels { return LinearLevels{o.SigmaMin, o.SigmaMax} }},
	}
}

func discretizationByName(name string) (placement, bool) {
	for _, d := range discretizations() {
		if d.name == name {
			return d, true
		}
	}
	return placement{}, false
}

// Discretizations returns the names that Settings.Disc takes.
func Discretizations() []string {
	var names []string
	for _, d := range discretizations() {
		names = append(names, d.name)
	}
	return names
}

// Schedules returns the names of the noise schedules sigma(t): linear (EDM), ve
// and vp.
func Schedules() []string { return []string{"linear", "ve", "vp"} }

// Scalings returns the names of the signal scalings s(t): none and vp.
func Scalings() []string { return []string{"none", "vp"} }

// Options returns the values behind the names. Names that nothing has, and constants
// that are impossible or without effect, are errors, joined and named as on the
// command line.
func (o Settings) Options() (Options, error) {
	if err := o.Validate(); err != nil {
		return Options{}, err
	}
	s, _ := solverByName(o.Solver)
	d, _ := discretizationByName(o.Disc)
	return Options{Solver: s.value(&o), NumSteps: o.NumSteps, Levels: d.value(&o), Process: o.process()}, nil
}

// process returns the schedule and the scaling; nil where they are EDM's.
func (o *Settings) process() Process {
	p := Process{
		Schedule: map[string]noise.Schedule{"ve": noise.VE{}, "vp": FittedVP{noise.DefaultVP(), o.EpsilonS}}[o.Schedule],
	}
	if o.Scaling == "vp" {
		p.Scaling = noise.VPScaling{}
	}
	return p
}

// NewNamed is New for settings by name.
func NewNamed(den Denoiser, o Settings) (*Sampler, error) {
	options, err := o.Options()
	if err != nil {
		return nil, fmt.Errorf("sample: options: %w", err)
	}
	return New(den, options)
}
