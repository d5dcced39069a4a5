package model

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"edm/internal/engine"
)

// What lacks memory in a run says how many images would fit beside what the
// program holds already; where the plan did fit, or the host lacks memory, nobody
// can say. Other errors stay as they are.
func TestFitting(t *testing.T) {
	need := engine.Footprint{Arena: 60 << 20, Staging: 20 << 20, Allowance: 20 << 20}
	for _, c := range []struct {
		full engine.OutOfMemory
		want string
	}{
		{engine.OutOfMemory{What: "a graph", Free: 15 << 20}, "needs 100 MiB of memory, 75 MiB are free: use a smaller microbatch or batch, of which about 6 images would fit"},
		{engine.OutOfMemory{What: "a graph", Free: 40 << 20}, "a batch of 8 images: run: engine: a graph needs more device memory than there is, 40 MiB are free: use a smaller"},
		{engine.OutOfMemory{What: "a graph", Free: -1}, "more device memory than there is: use a smaller"},
		{engine.OutOfMemory{What: "inputs", Planned: 5 << 20, Host: true}, "inputs needs 5 MiB of page-locked host memory, and the system has no more to give: end other programs, or use a smaller"},
	} {
		err := fitting(8, need, need.Arena, fmt.Errorf("run: %w", &c.full))
		var full *engine.OutOfMemory
		if !errors.As(err, &full) || *full != c.full || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	other := errors.New("other")
	if err := fitting(8, need, 0, other); err != other {
		t.Errorf("another error became %v", err)
	}
	if fitting(8, need, 0, nil) != nil {
		t.Error("no error became one")
	}
}
