package cli

import "testing"

func TestCutFitsTheTerminal(t *testing.T) {
	for _, c := range []struct {
		room int
		want string
	}{{-5, ""}, {0, ""}, {4, "loss"}, {99, "loss 0.2"}} {
		if got := cut("loss 0.2", c.room); got != c.want {
			t.Errorf("cut to %d: %q, want %q", c.room, got, c.want)
		}
	}
}
