package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// row is the resources of one kernel on one architecture, by one release of the assembler.
type row struct {
	release                 string
	module, kernel, arch    string
	registers, shared       int // 4-byte registers a thread; static bytes a block
	stack                   int // bytes a thread
	spillStores, spillLoads int // bytes
	instructions            string
	wanted                  []string
}

// assembler runs the tools in folder bin, whose ptxas is of that release.
type assembler struct{ bin, release string }

var releaseName = regexp.MustCompile(`release (\d+\.\d+)`)

// newAssembler returns the assembler in a folder.
func newAssembler(dir string) (assembler, error) {
	a := assembler{bin: dir}
	said, err := a.command("ptxas", "--version")
	if err != nil {
		return a, err
	}
	m := releaseName.FindStringSubmatch(said)
	if m == nil {
		return a, fmt.Errorf("ptxas in %s names no release:\n%s", dir, said)
	}
	a.release = m[1]
	return a, nil
}

// job is one file to assemble for one architecture.
type job struct{ source, arch string }

// assembleAll assembles every source for every architecture that runs it.
func (a assembler) assembleAll(sources []string) ([]row, error) {
	newest, err := a.newest()
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, s := range sources {
		archs := []string{"sm_80", "sm_86", "sm_89", "sm_90a", newest}
		if strings.HasSuffix(s, "_sm90a.ptx") {
			archs = []string{"sm_90a"} // runs nowhere else
		}
		for _, arch := range archs {
			jobs = append(jobs, job{s, arch})
		}
	}
	return a.run(jobs)
}

// run assembles jobs, as many at once as there are processors, and returns their
// rows in the jobs' order.
func (a assembler) run(jobs []job) ([]row, error) {
	results, errs := make([][]row, len(jobs)), make([]error, len(jobs))
	slots := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	for i, j := range jobs {
		wait.Go(func() {
			slots <- struct{}{}
			results[i], errs[i] = a.assemble(j)
			<-slots
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(results...), nil
}

// assemble returns a row for each kernel of a file.
func (a assembler) assemble(j job) ([]row, error) {
	dir, err := os.MkdirTemp("", "ptxcheck")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cubin := filepath.Join(dir, "cubin")
	report, err := a.command("ptxas", "-v", "--warning-as-error", "--gpu-name", j.arch, "-o", cubin, j.source)
	if err != nil {
		return nil, err
	}
	if err := advised(report, j); err != nil {
		return nil, err
	}
	rows, err := parseReport(report, j)
	if err != nil {
		return nil, err
	}
	ptx, err := os.ReadFile(j.source)
	if err != nil {
		return nil, err
	}
	have, want := map[string]string{}, wantedBy(string(ptx))
	if anyNotable(string(ptx), want) {
		listing, err := a.command("nvdisasm", "-c", cubin)
		if err != nil {
			return nil, err
		}
		have = instructionsOf(listing)
	}
	for i := range rows {
		rows[i].release = a.release
		rows[i].instructions = have[rows[i].kernel]
		rows[i].wanted = want[rows[i].kernel]
	}
	return rows, nil
}

// advice matches what the assembler says, though not as a warning, of products of
// warpgroups that it made wait for each other and of register counts that it
// ignored.
var advice = regexp.MustCompile(`(?m)^.*(Potential Performance Loss|\(C75\d\d\)).*$`)

// advised returns the assembler's advice on a file as an error, or nil.
func advised(report string, j job) error {
	if lines := advice.FindAllString(report, -1); lines != nil {
		return fmt.Errorf("%s for %s: keep accumulators in registers and untouched until wgmma_wait:\n%s",
			j.source, j.arch, strings.Join(lines, "\n"))
	}
	return nil
}

// command runs a tool and returns all that it prints.
func (a assembler) command(tool string, args ...string) (string, error) {
	out, err := exec.Command(filepath.Join(a.bin, tool), args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", tool, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

var archName = regexp.MustCompile(`\bsm_(\d+)\b`)

// newest returns the last architecture that the assembler knows.
func (a assembler) newest() (string, error) {
	help, err := a.command("ptxas", "--help")
	if err != nil {
		return "", err
	}
	last := 0
	for _, m := range archName.FindAllStringSubmatch(help, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return "", err
		}
		last = max(last, n)
	}
	if last == 0 {
		return "", fmt.Errorf("ptxas --help names no architecture")
	}
	return fmt.Sprintf("sm_%d", last), nil
}
