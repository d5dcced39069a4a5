package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The device is part of the configuration, and is named where the run starts and
// in the dry run.
func TestDevice(t *testing.T) {
	outdir := t.TempDir()
	code, stdout, stderr := execute(append(tinyFlags(t, outdir), "--device=cpu")...)
	if code != 0 || !strings.Contains(stdout, "16 images, cpu-") {
		t.Fatalf("exit status %d: %s%s; want the device in the start line", code, stdout, stderr)
	}
	found, err := filepath.Glob(filepath.Join(outdir, "*", "config.yaml"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil || !strings.Contains(string(text), "device: cpu\n") || !strings.Contains(string(text), "precision: fp32\n") {
		t.Errorf("%v: the configuration has not the device:\n%s", err, text)
	}
	// A run may go on with another choice.
	code, _, stderr = execute("--resume", filepath.Dir(found[0]), "--outdir", outdir, "--duration=0.000024", "--device=auto", "--threads=1", "--preview=0")
	if code != 0 {
		t.Errorf("resumed with --device=auto: exit status %d: %s", code, stderr)
	}
	code, stdout, stderr = execute(append(tinyFlags(t, t.TempDir()), "--device=cpu", "--dry-run")...)
	if code != 0 || !strings.Contains(stdout, "img/s on cpu-") {
		t.Errorf("dry run: exit status %d: %s%s", code, stdout, stderr)
	}
}

func TestDeviceFaults(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--device=gpu"}, `device is "gpu", want auto, cpu, cuda or cuda:N`},
		{[]string{"--device=cuda:-1"}, "cuda:-1"},
		{[]string{"--precision=fp16"}, "want one of fp32, tf32, bf16"},
		{[]string{"--device=cpu", "--precision=bf16"}, "precision bf16 is a GPU's"},
	} {
		outdir := t.TempDir()
		code, _, stderr := execute(append(tinyFlags(t, outdir), c.args...)...)
		if left, err := os.ReadDir(outdir); code != 2 || !strings.Contains(stderr, c.want) || err != nil || len(left) > 0 {
			t.Errorf("%v: exit status %d: %s (left %v, %v); want 2, %q and nothing left", c.args, code, stderr, left, err, c.want)
		}
	}
}
