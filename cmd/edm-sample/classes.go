package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"edm/sample/generate"
)

// fixedClass returns the class that --class names, by number or by name; -1 if
// it is left out.
func fixedClass(text string, classes int, names []string) (int, error) {
	if text == "" {
		return -1, nil
	}
	if classes == 0 {
		return 0, fmt.Errorf("--class is %q, but the network is unconditional: leave it out, or train with --cond", text)
	}
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, text) }); i >= 0 {
		return i, nil
	}
	class, err := strconv.Atoi(text)
	if err == nil && class >= 0 && class < classes {
		return class, nil
	}
	known := ""
	if names != nil {
		known = " or one of " + strings.Join(names, ", ")
	}
	return 0, fmt.Errorf("--class is %q, want 0 to %d%s", text, classes-1, known)
}

// classesOf returns the class of each seed's image: the fixed one, or one drawn
// from the seed alone; nil for an unconditional network.
func classesOf(seeds []uint64, fixed, classes int) []int {
	if fixed < 0 || classes == 0 {
		return generate.Classes(seeds, classes)
	}
	return slices.Repeat([]int{fixed}, len(seeds))
}
