package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The modes of the command, by their flags; without one it draws images.
const (
	drawMode       = ""
	editMode       = "edit"
	inpaintMode    = "inpaint"
	trajectoryMode = "trajectory"
	compareMode    = "compare"
	likelihoodMode = "likelihood"
	invertMode     = "invert"
	toyMode        = "toy"
)

func modes() []string {
	return []string{drawMode, editMode, inpaintMode, trajectoryMode, compareMode, likelihoodMode, invertMode, toyMode}
}

// modeOf returns the mode that the given flags ask for.
func modeOf(changed func(flag string) bool) (string, error) {
	mode := drawMode
	for _, m := range modes()[1:] {
		switch {
		case !changed(m):
		case mode == drawMode:
			mode = m
		default:
			return "", fmt.Errorf("--%s and --%s exclude each other: use two calls", mode, m)
		}
	}
	return mode, nil
}

// scopes returns the modes in which each flag has an effect. Flags that are not
// here have one in all.
func scopes() map[string][]string {
	images := []string{drawMode, editMode, inpaintMode}
	sampling := append(slices.Clone(images), trajectoryMode)
	guided := append(slices.Clone(sampling), compareMode)
	densities := []string{likelihoodMode, invertMode}
	networks := append(slices.Clone(guided), densities...)
	out := map[string][]string{}
	set := func(modes []string, flags ...string) {
		for _, f := range flags {
			out[f] = modes
		}
	}
	for _, s := range settings() {
		set(guided, s.name)
	}
	set(sampling, "nfe")
	set(append(slices.Clone(sampling), densities...), solverName, stepsName)
	set(networks, "network", "runs", "batch", "threads", "device", "precision", "sigma_min", "sigma_max", "rho")
	set(guided, "seeds", "class", "guidance", "guide", "guidance_low", "guidance_high")
	set(images, "subdirs", "grid")
	set([]string{drawMode, editMode, inpaintMode, compareMode, toyMode}, "outdir")
	set([]string{compareMode}, "budgets", "tolerances", "reference_steps")
	set([]string{editMode}, "strength")
	set([]string{inpaintMode}, "mask")
	set(densities, "count")
	set([]string{likelihoodMode}, "probes")
	set([]string{invertMode}, "save_latents")
	return out
}

// checkScopes reports the given flags that have no effect in a mode.
func checkScopes(mode string, given []string) error {
	var errs []error
	all := scopes()
	for _, flag := range given {
		where, limited := all[flag]
		if !limited || slices.Contains(where, mode) {
			continue
		}
		if !slices.Contains(where, drawMode) {
			errs = append(errs, fmt.Errorf("--%s goes with %s", flag, alternatives(where)))
			continue
		}
		errs = append(errs, fmt.Errorf("--%s has no effect with --%s: leave it out", flag, mode))
	}
	return errors.Join(errs...)
}

// alternatives lists flags for a reader.
func alternatives(flags []string) string { return "--" + strings.Join(flags, " or --") }
