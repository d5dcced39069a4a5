package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"edm/sample"
	"edm/train"
)

// Every solver draws by name, keeps to a budget, and an image depends on its own
// seed alone.
func TestSolvers(t *testing.T) {
	_, trained := trained(t, false)
	for _, solver := range sample.Solvers() {
		info, err := sample.Describe(solver)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"--network", trained.Snapshot, "--solver", solver, "--grid=0"}
		if info.Adaptive {
			args = append(args, "--rtol=0.3", "--atol=0.3")
		} else {
			args = append(args, "--nfe=14")
		}
		if solver == "annealed-langevin" {
			args = append(args, "--corrections=3")
		}
		pair, alone := t.TempDir(), t.TempDir()
		code, stdout, stderr := execute(append(args, "--outdir", pair, "--seeds=4,7")...)
		if code != 0 {
			t.Errorf("%s: exit status %d: %s", solver, code, stderr)
			continue
		}
		if code, _, stderr = execute(append(args, "--outdir", alone, "--seeds=7", "--batch=1")...); code != 0 {
			t.Errorf("%s: exit status %d: %s", solver, code, stderr)
		}
		first, _ := os.ReadFile(filepath.Join(pair, "000007.png"))
		second, _ := os.ReadFile(filepath.Join(alone, "000007.png"))
		if len(first) == 0 || !bytes.Equal(first, second) {
			t.Errorf("%s: seed 7 alone differs from seed 7 beside another", solver)
		}
		if want := map[bool]string{false: ", deterministic", true: ", stochastic"}[info.Stochastic]; !strings.Contains(stdout, want) {
			t.Errorf("%s: output lacks %q:\n%s", solver, want, stdout)
		}
		if !strings.Contains(stdout, " network evaluations an image") {
			t.Errorf("%s: no evaluations in the output:\n%s", solver, stdout)
		}
	}
}

// A range that the network does not support is clipped, with a note.
func TestNotes(t *testing.T) {
	_, trained := trainedAs(t, func(c *train.Config) { c.Cond, c.Precond = false, "vp" })
	code, stdout, stderr := execute("--network", trained.Snapshot, "--outdir", t.TempDir(), "--seeds=0", "--steps=2", "--sigma_max=200")
	if code != 0 || !strings.Contains(stdout, "sigma_max 200 lowered to 152.") {
		t.Errorf("exit status %d, prints %q and %q", code, stdout, stderr)
	}
}

// Classifier-free guidance takes both estimates, changes the images, and costs
// what is reported; a budget counts both.
func TestGuidance(t *testing.T) {
	_, trained := trainedAs(t, func(c *train.Config) { c.Cond, c.LabelDropout, c.LR, c.LRRampup = true, 0.5, 0.1, 0 })
	draw := func(args ...string) (string, []byte, map[string]string) {
		out := t.TempDir()
		code, stdout, stderr := execute(append([]string{"--network", trained.Snapshot, "--outdir", out, "--seeds=0", "--grid=0"}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit status %d: %s", args, code, stderr)
		}
		img, texts := readPNG(t, filepath.Join(out, "000000.png"))
		return stdout, []byte(fmt.Sprint(img)), texts
	}
	plain, one, _ := draw("--steps=3")
	stdout, same, _ := draw("--steps=3", "--guidance=1")
	if !bytes.Equal(one, same) || !strings.Contains(stdout, ", 5 network evaluations") || !strings.Contains(plain, ", 5 network") {
		t.Errorf("weight 1 is not the plain network:\n%s", stdout)
	}
	stdout, more, texts := draw("--steps=3", "--guidance=4")
	if bytes.Equal(one, more) || !strings.Contains(stdout, ", 10 network evaluations") || !strings.Contains(stdout, "classifier-free guidance, weight 4") {
		t.Errorf("weight 4:\n%s", stdout)
	}
	if texts["guidance"] != "4" || texts["guidance_low"] != "" {
		t.Errorf("texts %v", texts)
	}
	// Of the levels 80, 2.5 and 0.002 one evaluation is above 3.
	stdout, _, texts = draw("--steps=3", "--guidance=4", "--guidance-high=3", "--guidance-low=0.1")
	if !strings.Contains(stdout, ", 7 network evaluations") || texts["guidance_high"] != "3" || texts["guidance_low"] != "0.1" {
		t.Errorf("guidance in an interval, texts %v:\n%s", texts, stdout)
	}
	// Both networks in the count of an adaptive solver: even, and twice as many.
	tolerant := []string{"--solver=adaptive-sde", "--rtol=0.5", "--atol=0.5"}
	single, _, _ := draw(tolerant...)
	double, _, _ := draw(append(tolerant, "--guidance=1.0001")...)
	if a, b := lastCount(t, single), lastCount(t, double); b != 2*a {
		t.Errorf("%d evaluations without guidance, %d with:\n%s", a, b, double)
	}
	if stdout, _, _ = draw("--nfe=10", "--guidance=4"); !strings.Contains(stdout, "3 steps, 10 network") {
		t.Errorf("a budget of 10:\n%s", stdout)
	}
}

// lastCount returns the number before "network evaluations an image".
func lastCount(t *testing.T, stdout string) int {
	t.Helper()
	before, _, ok := strings.Cut(stdout, " network evaluations an image")
	n, err := strconv.Atoi(before[strings.LastIndexAny(before, " \n")+1:])
	if !ok || err != nil {
		t.Fatalf("no evaluations in %q", stdout)
	}
	return n
}

// A second network guides; one of another shape is refused.
func TestAutoguidance(t *testing.T) {
	_, main := trained(t, true)
	_, blind := trained(t, false)
	for _, solver := range []string{"annealed-langevin", "predictor-corrector"} { // counted by a rehearsal
		code, stdout, stderr := execute("--network", main.Snapshot, "--guide", blind.Dir, "--guidance=2", "--solver", solver, "--nfe=400",
			"--outdir", t.TempDir(), "--seeds=0")
		if n := lastCount(t, stdout); code != 0 || n > 400 || n < 190 {
			t.Errorf("%s: exit status %d, prints %q and %q", solver, code, stdout, stderr)
		}
	}
	out := t.TempDir()
	code, stdout, stderr := execute("--network", main.Snapshot, "--guide", blind.Dir, "--guidance=2", "--outdir", out, "--seeds=0", "--steps=2")
	if code != 0 || !strings.Contains(stdout, "guided by "+blind.Snapshot) || !strings.Contains(stdout, ", 6 network evaluations") {
		t.Errorf("exit status %d, prints %q and %q", code, stdout, stderr)
	}
	if _, texts := readPNG(t, filepath.Join(out, "000000.png")); len(texts["guide_sha256"]) != 64 || texts["guide_sha256"] == texts["network_sha256"] {
		t.Errorf("texts %v", texts)
	}
	for _, c := range []struct {
		network, guide string
		code           int
		want           string
	}{
		{blind.Snapshot, main.Snapshot, 2, "it has 3 classes, the network 0"},
		{main.Snapshot, "nosuch", 1, "--guide: "},
		{blind.Snapshot, "", 2, "the network is unconditional"},
		{main.Snapshot, "", 2, "without label dropout"},
	} {
		args := []string{"--network", c.network, "--guidance=2", "--outdir", t.TempDir()}
		if c.guide != "" {
			args = append(args, "--guide", c.guide)
		}
		if code, stdout, stderr := execute(args...); code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%s by %s: exit status %d, prints %q and %q", c.network, c.guide, code, stdout, stderr)
		}
	}
}
