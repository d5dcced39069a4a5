// Command ptxcheck assembles every PTX file with releases of NVIDIA's own assembler
// for each architecture that matters, and compares what each kernel takes -
// registers, shared memory, stack, spills, matrix instructions - with a committed
// table.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	ptx := flag.String("ptx", "", "folder of the PTX files")
	table := flag.String("table", "", "table of resources to compare with")
	var bins []string
	flag.Func("bin", "folder of ptxas and nvdisasm; may be repeated, for each release of ptxas", func(dir string) error {
		bins = append(bins, dir)
		return nil
	})
	write := flag.Bool("write", false, "write the table instead of comparing")
	flag.Parse()
	if err := check(*ptx, *table, bins, *write); err != nil {
		fmt.Fprintln(os.Stderr, "ptxcheck:", err)
		os.Exit(1)
	}
}

// check assembles everything, then holds each kernel to the rules and the table.
func check(ptx, table string, bins []string, write bool) error {
	sources, err := filepath.Glob(filepath.Join(ptx, "*.ptx"))
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("no .ptx in %q: name the folder by -ptx", ptx)
	}
	var rows []row
	for _, dir := range bins {
		a, err := newAssembler(dir)
		if err != nil {
			return err
		}
		more, err := a.assembleAll(sources)
		if err != nil {
			return fmt.Errorf("ptxas %s: %w", a.release, err)
		}
		rows = append(rows, more...)
	}
	if err := rules(rows); err != nil {
		return err
	}
	text := format(rows)
	if write {
		return os.WriteFile(table, []byte(text), 0o644)
	}
	committed, err := os.ReadFile(table)
	if err != nil {
		return err
	}
	if err := compare(string(committed), text); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	fmt.Printf("%d kernels for %s by ptxas %s: as in the table, no spills\n", len(kernels(rows)),
		strings.Join(each(rows, architecture), ", "), strings.Join(each(rows, release), " and "))
	return nil
}

// rules returns what is wrong with any kernel on any architecture, whatever the
// table says: spilled registers cost more than anything that they are spent on,
// and a matrix product or an asynchronous copy that the assembler replaced by
// something else has lost its point.
func rules(rows []row) error {
	var all []error
	for _, r := range rows {
		if r.spillStores+r.spillLoads > 0 {
			all = append(all, fmt.Errorf("%s on %s by ptxas %s spills: %d bytes stored, %d loaded; give it smaller tiles or fewer threads a block", r.kernel, r.arch, r.release, r.spillStores, r.spillLoads))
		}
		for _, want := range r.wanted {
			if !strings.Contains(r.instructions, want) {
				all = append(all, fmt.Errorf("%s on %s by ptxas %s has no %s, which its PTX or its name asks for: it has %q", r.kernel, r.arch, r.release, want, r.instructions))
			}
		}
	}
	return errors.Join(all...)
}
