package main

import (
	"errors"
	"fmt"
	"strings"

	"edm/internal/cli"
	"edm/model"
	"edm/train"
)

// advised adds to an error of the packages, which know no flags, the flags that may
// mend it. dir is the run's folder, if there is one by then.
func advised(err error, dir string) error {
	if err == nil {
		return nil
	}
	advice := advice(err, dir)
	if errors.Is(err, train.ErrChanged) || errors.Is(err, train.ErrEnded) || errors.Is(err, train.ErrNoLabels) {
		err = cli.Usage(err)
	}
	if len(advice) == 0 {
		return err
	}
	return fmt.Errorf("%w\n  %s", err, strings.Join(advice, "\n  "))
}

// advice returns flags that may mend an error, a line each.
func advice(err error, dir string) []string {
	var lines []string
	for _, c := range []struct {
		is   error
		line string
	}{
		{train.ErrChanged, "leave the options out, start a new run, or continue all the same with --force"},
		{train.ErrEnded, "--duration sets another end"},
		{train.ErrNoLabels, "leave out --cond"},
		{train.ErrNotFinite, "try a lower --lr, a longer --lr-rampup or --clip-norm 1"},
		{model.ErrUnsupported, "--device cpu computes it"},
	} {
		if errors.Is(err, c.is) {
			lines = append(lines, c.line)
		}
	}
	if errors.Is(err, model.ErrLost) && dir != "" {
		lines = append(lines, "continue with --resume "+dir)
	}
	var memory *model.MemoryError
	if errors.As(err, &memory) {
		lines = append(lines, smaller(memory))
	}
	return lines
}

// smaller returns the flags that make a step need less memory.
func smaller(e *model.MemoryError) string {
	if e.Fit > 0 {
		return fmt.Sprintf("--micro %d may fit (it must divide --batch); --recompute-light and --recompute need less memory for more time", e.Fit)
	}
	return "--micro sets how many images pass the network at once; --recompute-light and --recompute need less memory for more time"
}
