package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	section = regexp.MustCompile(`\.section\s+\.text\.(\w+)`)
	// notable are the machine instructions that the table names.
	notable = regexp.MustCompile(`\b((?:HMMA|HGMMA|IMMA|OMMA|QMMA)[.\w]*|LDGSTS|UBLKCP|UTMALDG[.\w]*|LDSM)\b`)
	entry   = regexp.MustCompile(`\.entry (\w+)\(`)
)

// instructionsOf returns, by kernel, the notable instructions of a listing by
// nvdisasm, each once.
func instructionsOf(listing string) map[string]string {
	found := map[string]map[string]bool{}
	kernel := ""
	for line := range strings.Lines(listing) {
		if m := section.FindStringSubmatch(line); m != nil {
			kernel = m[1]
			found[kernel] = map[string]bool{}
			continue
		}
		if m := notable.FindString(line); m != "" && kernel != "" {
			found[kernel][m] = true
		}
	}
	all := map[string]string{}
	for kernel, set := range found {
		all[kernel] = strings.Join(slices.Sorted(maps.Keys(set)), " ")
	}
	return all
}

// named is the machine instruction that a kernel's name promises, unless it only
// packs operands.
var named = []struct{ part, machine string }{
	{"tf32", "HMMA.1688.F32.TF32"},
	{"bf16", "HMMA.16816.F32.BF16"},
}

// meant is the machine instruction that a PTX instruction stands for.
var meant = []struct{ ptx, machine string }{
	{"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "HMMA.1688.F32.TF32"},
	{"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "HMMA.16816.F32.BF16"},
	{"wgmma.mma_async", "HGMMA"},
	{"cp.async.c", "LDGSTS"},
	{"cp.async.bulk.tensor", "UTMALDG"},
	{"ldmatrix.sync", "LDSM"},
}

// wantedBy returns, by kernel, the machine instructions that a PTX file and the
// kernels' names ask for.
func wantedBy(ptx string) map[string][]string {
	all := map[string][]string{}
	starts := entry.FindAllStringSubmatchIndex(ptx, -1)
	for i, s := range starts {
		end := len(ptx)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		kernel, body := ptx[s[2]:s[3]], ptx[s[1]:end]
		for _, n := range named {
			if strings.Contains(kernel, n.part) && !strings.Contains(kernel, "_pack_") && !strings.Contains(body, "wgmma") {
				all[kernel] = append(all[kernel], n.machine)
			}
		}
		for _, m := range meant {
			if strings.Contains(body, m.ptx) {
				all[kernel] = append(all[kernel], m.machine)
			}
		}
		slices.Sort(all[kernel])
		all[kernel] = slices.Compact(all[kernel])
	}
	return all
}

// notableInPTX are parts of the PTX that notable instructions come from.
var notableInPTX = regexp.MustCompile(`mma[._]|\bcp\.async|\bldmatrix\b`)

// anyNotable reports whether a file's kernels want or may have notable instructions.
// The others are not disassembled, which takes as long as most take to assemble.
func anyNotable(ptx string, wanted map[string][]string) bool {
	for _, want := range wanted {
		if len(want) > 0 {
			return true
		}
	}
	return notableInPTX.MatchString(ptx)
}
