package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"edm/internal/cli"
	"edm/model"
	"edm/train"
)

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string // in what is added
		exit int
	}{
		{train.ErrChanged, "--force", cli.ExitUsage},
		{train.ErrEnded, "--duration", cli.ExitUsage},
		{train.ErrNoLabels, "--cond", cli.ExitUsage},
		{train.ErrNotFinite, "--lr", cli.ExitFailure},
		{model.ErrUnsupported, "--device cpu", cli.ExitFailure},
		{model.ErrLost, "--resume runs/1", cli.ExitFailure},
		{&model.MemoryError{Images: 8, Needed: 2, Fit: 6, Err: errors.New("full")}, "--micro 6", cli.ExitFailure},
		{&model.MemoryError{Err: errors.New("full")}, "--recompute-light", cli.ExitFailure},
		{errors.New("another"), "", cli.ExitFailure},
	} {
		wrapped := fmt.Errorf("train: %w", c.err)
		got := advised(wrapped, "runs/1")
		added, ok := strings.CutPrefix(got.Error(), wrapped.Error())
		if !ok || !strings.Contains(added, c.want) || (c.want == "") != (added == "") {
			t.Errorf("%v: %q is added, want %q", c.err, added, c.want)
		}
		if !errors.Is(got, c.err) || cli.ExitCode(got) != c.exit {
			t.Errorf("%v: %v, exit status %d, want %d", c.err, got, cli.ExitCode(got), c.exit)
		}
	}
	if err := advised(nil, ""); err != nil {
		t.Errorf("no error became %v", err)
	}
}
