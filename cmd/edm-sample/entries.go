package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"edm/internal/lab"
)

// parseEntries returns the samplers that the values of --compare list. Between
// entries stand commas, semicolons or spaces; an entry is a solver, or a solver
// with settings: heun:alpha=0.5,disc=vp. Settings of common hold for every entry
// that does not set them itself. Every fault is reported, joined.
func parseEntries(lists []string, common design) ([]lab.Entry, error) {
	var entries []lab.Entry
	var errs []error
	for _, text := range splitEntries(lists) {
		e, err := parseEntry(text, common)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("--compare: %s: %w", text, err))
		case slices.ContainsFunc(entries, func(other lab.Entry) bool { return other.Name == e.Name }):
			errs = append(errs, fmt.Errorf("--compare: %s is there twice", text))
		default:
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 && errs == nil {
		errs = append(errs, errors.New("--compare is empty, want solvers such as heun,euler"))
	}
	return entries, errors.Join(errs...)
}

// splitEntries cuts lists into entries. A part with = and without : goes on with
// the entry before it.
func splitEntries(lists []string) []string {
	var entries []string
	for _, list := range lists {
		first := true
		for _, part := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",; \t\n", r) }) {
			if !first && strings.Contains(part, "=") && !strings.Contains(part, ":") {
				last := &entries[len(entries)-1]
				sep := ","
				if !strings.Contains(*last, ":") {
					sep = ":"
				}
				*last += sep + part
				continue
			}
			entries, first = append(entries, part), false
		}
	}
	return entries
}

func parseEntry(text string, common design) (lab.Entry, error) {
	solver, list, _ := strings.Cut(text, ":")
	own := design{solverName: solver}
	for part := range strings.SplitSeq(list, ",") {
		if part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		s, known := settingByName(spell(key))
		switch {
		case !ok || value == "":
			return lab.Entry{}, fmt.Errorf("%q is no setting, want one like rho=5", part)
		case !known || s.name == solverName:
			return lab.Entry{}, fmt.Errorf("unknown setting %q, want one such as disc, schedule, scaling, rho, alpha, eta", key)
		case s.name == stepsName:
			return lab.Entry{}, errors.New("steps come from --budgets: leave them out")
		}
		if err := own.set(s, value); err != nil {
			return lab.Entry{}, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	o, err := own.over(common).options()
	if err != nil {
		return lab.Entry{}, err
	}
	return lab.Entry{Name: text, Options: o}, o.Validate()
}
