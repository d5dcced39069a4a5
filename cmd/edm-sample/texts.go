package main

import (
	"slices"
	"strconv"

	"edm/internal/picture"
	"edm/sample"
)

// decimal returns a number as the command line takes it.
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// samplerTexts returns the sampler's options that make an image, under their
// names on the command line: those that every run has, and those that are not
// at the value where they change nothing.
func samplerTexts(o sample.Settings) []picture.Text {
	always := []string{solverName, stepsName, "sigma_min", "sigma_max", "rho", "S_churn"}
	info, err := sample.Describe(o.Solver)
	if err == nil && info.Adaptive {
		always = []string{solverName, "sigma_min", "sigma_max"}
	} else if err == nil && !info.Churn {
		always = always[:len(always)-1]
	}
	if o.SChurn > 0 { // else they change nothing
		always = append(always, "S_min", "S_max", "S_noise")
	}
	inert := sample.DefaultSettings()
	var texts []picture.Text
	for _, s := range settings() {
		v := s.get(&o)
		if slices.Contains(always, s.name) || (v != s.get(&inert) && s.name != stepsName) {
			texts = append(texts, picture.Text{Key: s.name, Value: v})
		}
	}
	return texts
}

// texts returns the settings that make an image besides its seed and class: the
// sampler's options, guidance, and the network.
func (s *job) texts(o sample.Settings) []picture.Text {
	texts := append([]picture.Text{{Key: "Software", Value: "edm-sample"}}, samplerTexts(o)...)
	texts = append(texts, s.guidance.texts()...)
	for _, t := range []picture.Text{
		{Key: "nimg", Value: s.network.metadata[nimgKey]},
		{Key: "network_sha256", Value: s.network.metadata[hashKey]},
	} {
		if t.Value != "" {
			texts = append(texts, t)
		}
	}
	return texts
}
