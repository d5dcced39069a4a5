package main

import (
	"fmt"
	"slices"
	"strings"
)

const tableHead = "module\tkernel\tarch\tregisters\tshared\tstack\tspill stores\tspill loads\tinstructions\n"

// format returns the table, a line for each kernel and architecture, separated
// by tabs. Rows come by file, architecture and kernel; the table has a kernel's
// architectures together.
func format(rows []row) string {
	var lines []string
	for _, name := range kernels(rows) {
		for _, r := range rows {
			if r.module+"\t"+r.kernel != name {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", name, r.arch,
				r.registers, r.shared, r.stack, r.spillStores, r.spillLoads, orDash(r.instructions)))
		}
	}
	return tableHead + strings.Join(lines, "")
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

// architectures returns those of the rows, each once, in their order.
func architectures(rows []row) []string {
	var all []string
	for _, r := range rows {
		if !slices.Contains(all, r.arch) {
			all = append(all, r.arch)
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
