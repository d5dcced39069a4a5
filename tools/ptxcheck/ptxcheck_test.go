package main

import (
	"slices"
	"strings"
	"testing"
)

const report = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'scale_tf32' for 'sm_80'
ptxas info    : Function properties for scale_tf32
    16 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 48 bytes smem, 380 bytes cmem[0]
ptxas info    : Compiling entry function 'add' for 'sm_80'
ptxas info    : Function properties for add
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, 380 bytes cmem[0]
`

func TestParseReport(t *testing.T) {
	rows, err := parseReport(report, job{"ptx/conv_sm80.ptx", "sm_80"})
	if err != nil {
		t.Fatal(err)
	}
	want := tableHead +
		"conv\tadd\tsm_80\tevery\t8\t0\t0\t0\t0\t-\n" +
		"conv\tscale_tf32\tsm_80\tevery\t40\t48\t16\t4\t8\t-\n"
	if got := format(rows); got != want {
		t.Errorf("table\n%swant\n%s", got, want)
	}
	if err := rules(rows); err == nil || !strings.Contains(err.Error(), "scale_tf32 on sm_80 by ptxas  spills") {
		t.Errorf("rules: %v, want the spilling kernel named", err)
	}
	if _, err := parseReport("ptxas info    : Compiling entry function 'f' for 'sm_80'\n", job{"f.ptx", "sm_80"}); err == nil {
		t.Error("a kernel without figures is no error")
	}
}

// Releases share a line where they agree, and only there.
func TestReleasesInTheTable(t *testing.T) {
	rows := []row{
		{release: "13.0", module: "m", kernel: "f", arch: "sm_80", registers: 8},
		{release: "13.0", module: "m", kernel: "f", arch: "sm_90a", registers: 9},
		{release: "13.5", module: "m", kernel: "f", arch: "sm_80", registers: 8},
		{release: "13.5", module: "m", kernel: "f", arch: "sm_90a", registers: 7},
		{release: "13.5", module: "m", kernel: "f", arch: "sm_130", registers: 6},
	}
	want := tableHead +
		"m\tf\tsm_80\tevery\t8\t0\t0\t0\t0\t-\n" +
		"m\tf\tsm_90a\t13.0\t9\t0\t0\t0\t0\t-\n" +
		"m\tf\tsm_90a\t13.5\t7\t0\t0\t0\t0\t-\n" +
		"m\tf\tsm_130\t13.5\t6\t0\t0\t0\t0\t-\n"
	if got := format(rows); got != want {
		t.Errorf("table\n%swant\n%s", got, want)
	}
	rows[1].spillLoads = 4
	if err := rules(rows); err == nil || !strings.Contains(err.Error(), "f on sm_90a by ptxas 13.0 spills") {
		t.Errorf("rules: %v, want the spill of one release", err)
	}
}

func TestAdviceIsAnError(t *testing.T) {
	j := job{"ptx/conv_sm90a.ptx", "sm_90a"}
	if err := advised(report, j); err != nil {
		t.Error(err)
	}
	for _, line := range []string{
		"ptxas info    : (C7517) wgmma.wait_group is injected in around line 232 by compiler in function 'f'\n",
		"ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized in the function 'f'\n",
	} {
		if err := advised(line+report, j); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(line)) {
			t.Errorf("%v, want %q", err, line)
		}
	}
}

func TestInstructions(t *testing.T) {
	listing := "\t.section\t.text.mul,\"ax\",@progbits\n" +
		"  /*0010*/  HMMA.1688.F32.TF32 R4, R8, R2, R4 ;\n  /*0020*/  LDGSTS.E.BYPASS.128 [R2], [R4.64] ;\n" +
		"\t.section\t.text.add,\"ax\",@progbits\n  /*0010*/  FADD R4, R8, R2 ;\n"
	have := instructionsOf(listing)
	if have["mul"] != "HMMA.1688.F32.TF32 LDGSTS" || have["add"] != "" {
		t.Errorf("instructions %q", have)
	}
	ptx := ".visible .entry mul(\n)\n{\nmma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1}\ncp.async.cg.shared.global [%r1], [%rd1], 16, %r2;\n}\n" +
		".visible .entry add_bf16(\n)\n{\nadd.rn.f32\n}\n"
	want := wantedBy(ptx)
	if !slices.Equal(want["mul"], []string{"HMMA.1688.F32.TF32", "LDGSTS"}) || !slices.Equal(want["add_bf16"], []string{"HMMA.16816.F32.BF16"}) {
		t.Errorf("wanted %q", want)
	}
	rows := []row{{kernel: "add_bf16", arch: "sm_80", wanted: want["add_bf16"]}}
	if err := rules(rows); err == nil || !strings.Contains(err.Error(), "has no HMMA.16816.F32.BF16") {
		t.Errorf("rules: %v, want the missing instruction named", err)
	}
}

func TestFilesWithoutNotableInstructions(t *testing.T) {
	plain := ".visible .entry add(\n)\n{\nadd.rn.f32\n}\n"
	for ptx, want := range map[string]bool{
		plain: false,
		plain + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1}, [%r2];": true,
		plain + "cp.async.bulk.shared::cluster.global [%r1];":            true,
		strings.ReplaceAll(plain, "add(", "add_tf32("):                   true,
		plain + "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r1};": true,
	} {
		if got := anyNotable(ptx, wantedBy(ptx)); got != want {
			t.Errorf("%s\nis disassembled: %t, want %t", ptx, got, want)
		}
	}
}

func TestCompareShowsLines(t *testing.T) {
	err := compare("a\nb\n", "a\nc\n")
	if err == nil || !strings.Contains(err.Error(), "- b\n+ c\n") {
		t.Errorf("compare: %v, want the lines that differ", err)
	}
	if err := compare("a\nb\n", "a\nb\n"); err != nil {
		t.Error(err)
	}
}
