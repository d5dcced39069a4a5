package main

import (
	"fmt"
	"slices"
	"strings"
)

const tableHead = "module\tkernel\tarch\tptxas\tregisters\tshared\tstack\tspill stores\tspill loads\tinstructions\n"

// every stands in the table for all releases of the assembler, where they agree.
const every = "every"

// format returns the table, a line for each kernel and architecture, separated
// by tabs; where releases of the assembler differ, a line for each. Rows come by
// release, file, architecture and kernel; the table has a kernel's architectures
// together.
func format(rows []row) string {
	releases := len(each(rows, release))
	var b strings.Builder
	b.WriteString(tableHead)
	for _, name := range kernels(rows) {
		of := filter(rows, func(r row) bool { return r.module+"\t"+r.kernel == name })
		for _, arch := range each(of, architecture) {
			lines := filter(of, func(r row) bool { return r.arch == arch })
			if len(lines) == releases && len(each(lines, takes)) == 1 {
				lines = lines[:1]
				lines[0].release = every
			}
			for _, r := range lines {
				fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", name, arch, r.release, takes(r))
			}
		}
	}
	return b.String()
}

func architecture(r row) string { return r.arch }
func release(r row) string      { return r.release }

// takes returns a row's figures as the table has them.
func takes(r row) string {
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%s", r.registers, r.shared, r.stack, r.spillStores, r.spillLoads, orDash(r.instructions))
}

// filter returns the rows that are wanted.
func filter(rows []row, want func(row) bool) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !want(r) })
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// kernels returns module and name of every kernel, each once, in order.
func kernels(rows []row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.module+"\t"+r.kernel)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// each returns an attribute of the rows, each value once, in their order.
func each(rows []row, ask func(row) string) []string {
	var all []string
	for _, r := range rows {
		if v := ask(r); !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// compare returns an error that shows the lines that are in one table only.
func compare(committed, measured string) error {
	old, now := strings.Split(committed, "\n"), strings.Split(measured, "\n")
	var b strings.Builder
	for _, line := range old {
		if !slices.Contains(now, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("not what the assembler says; if that is meant, run .ci/ptxas.sh -write:\n%s", b.String())
}
