package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"edm/model"
)

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string // what is added
	}{
		{&model.MemoryError{Images: 8, Needed: 2, Fit: 6, Err: errors.New("full")}, "--batch 6 may fit"},
		{&model.MemoryError{Err: errors.New("full")}, "--batch sets"},
		{model.ErrUnsupported, "--device cpu"},
		{errors.New("another"), ""},
	} {
		wrapped := fmt.Errorf("sample: %w", c.err)
		got := advised(wrapped)
		added, ok := strings.CutPrefix(got.Error(), wrapped.Error())
		if !ok || !strings.Contains(added, c.want) || (c.want == "") != (added == "") || !errors.Is(got, c.err) {
			t.Errorf("%v: %q is added, want %q", c.err, added, c.want)
		}
	}
}
