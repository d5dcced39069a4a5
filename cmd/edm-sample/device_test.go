package main

import (
	"strings"
	"testing"
)

func TestDevice(t *testing.T) {
	runs, _ := trained(t, false)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--device=cpu"}, 0, ""},
		{[]string{"--device=auto", "--precision=fp32"}, 0, ""},
		{[]string{"--device=gpu"}, 2, `device is "gpu", want auto, cpu, cuda or cuda:N`},
		{[]string{"--device=cpu", "--precision=tf32"}, 2, "precision tf32 is a GPU's"},
		{[]string{"--precision=half"}, 2, "want one of fp32, tf32, bf16"},
	} {
		args := append([]string{"--runs", runs, "--outdir", t.TempDir(), "--seeds=0", "--steps=2", "--threads=1"}, c.args...)
		if code, _, stderr := execute(args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit status %d: %s; want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
	if code, _, stderr := execute("--toy=1d", "--device=cpu"); code != 2 || !strings.Contains(stderr, "--device has no effect with --toy") {
		t.Errorf("--toy: exit status %d: %s", code, stderr)
	}
}
