package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	compiling = regexp.MustCompile(`Compiling entry function '(\w+)' for`)
	frame     = regexp.MustCompile(`(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads`)
	used      = regexp.MustCompile(`Used (\d+) registers`)
	static    = regexp.MustCompile(`(\d+) bytes smem`)
)

// parseReport reads the output of ptxas -v, sorted by kernel.
func parseReport(report string, j job) ([]row, error) {
	var rows []row
	for line := range strings.Lines(report) {
		if m := compiling.FindStringSubmatch(line); m != nil {
			rows = append(rows, row{module: moduleOf(j.source), kernel: m[1], arch: j.arch, registers: -1, stack: -1})
			continue
		}
		if len(rows) == 0 {
			continue
		}
		r := &rows[len(rows)-1]
		if n := numbers(frame, line); n != nil {
			r.stack, r.spillStores, r.spillLoads = n[0], n[1], n[2]
		}
		if n := numbers(used, line); n != nil {
			r.registers = n[0]
		}
		if n := numbers(static, line); n != nil {
			r.shared = n[0]
		}
	}
	for _, r := range rows {
		if r.registers < 0 || r.stack < 0 {
			return nil, fmt.Errorf("%s for %s: ptxas says nothing of %s:\n%s", j.source, j.arch, r.kernel, report)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s for %s: ptxas names no kernel:\n%s", j.source, j.arch, report)
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.kernel, b.kernel) })
	return rows, nil
}

// numbers returns the groups of r's match in line, or nil.
func numbers(r *regexp.Regexp, line string) []int {
	m := r.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	var all []int
	for _, digits := range m[1:] {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// moduleOf returns the module that a PTX file holds.
func moduleOf(source string) string {
	base := source[strings.LastIndexByte(source, '/')+1:]
	name, _ := strings.CutSuffix(base, ".ptx")
	name, _ = strings.CutSuffix(name, "_sm80")
	return name
}
