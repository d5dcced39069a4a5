package train

import (
	"bytes"
	"strings"
	"testing"

	"edm/model"
)

// What is computed again changes no bit of a run, so a run may be resumed with
// another choice.
func TestRecomputationMayChangeOnResume(t *testing.T) {
	c := quick(t)
	c.Duration = 0.000128
	whole := mustRun(t, c, options(t, t.TempDir()))
	o := options(t, t.TempDir())
	half := c
	half.Duration = c.Duration / 2
	half.RecomputeLight = true
	first := mustRun(t, half, o)
	o.Resume = first.Dir
	saved, err := LoadConfig(first.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !saved.RecomputeLight {
		t.Error("the run's configuration does not say what it recomputes")
	}
	c.Recompute = []int{8}
	second := mustRun(t, c, o)
	if !bytes.Equal(contents(t, second.Snapshot), contents(t, whole.Snapshot)) {
		t.Error("a run that recomputes gives another snapshot")
	}
}

// The trades begin with the whole and save the more the more they compute
// again; the one that a configuration chooses is what it is estimated to need,
// with the same useful work.
func TestTrades(t *testing.T) {
	c, d := quick(t), device(t, 1)
	trades, err := Trades(c, d)
	if err != nil {
		t.Fatal(err)
	}
	levels := c.Network().Levels()
	if len(trades) != 2+len(levels) {
		t.Fatalf("%d trades, want nothing, light and %d levels", len(trades), len(levels))
	}
	plain, err := Estimate(c, d)
	if err != nil {
		t.Fatal(err)
	}
	for i, trade := range trades {
		c.Recompute, c.RecomputeLight = trade.Recompute.Levels, trade.Recompute.Light
		info, err := Estimate(c, d)
		if err != nil {
			t.Fatal(err)
		}
		if info.ArenaBytes != trade.ArenaBytes || info.FlopsPerImage != plain.FlopsPerImage {
			t.Errorf("%+v: %d bytes and %v operations are estimated, want %v", trade, info.ArenaBytes, info.FlopsPerImage, plain.FlopsPerImage)
		}
		if i > 0 && trade.ArenaBytes >= trades[0].ArenaBytes {
			t.Errorf("%+v saves nothing of %d bytes", trade, trades[0].ArenaBytes)
		}
		if products := trade.Work > 0; products != (len(trade.Recompute.Levels) > 0) {
			t.Errorf("%+v: work beyond that of keeping all", trade)
		}
	}
	if last := trades[len(trades)-1]; last.Work >= 0.5 || last.ArenaBytes >= trades[1].ArenaBytes {
		t.Errorf("all levels: %+v, want less memory than %d bytes", last, trades[1].ArenaBytes)
	}
}

func TestRecomputeFaults(t *testing.T) {
	c := quick(t)
	c.Recompute = []int{8, 7}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "recompute is [8 7]") {
		t.Errorf("recompute at an image size that the network has not: %v", err)
	}
	if err := (model.Recompute{}).Check(c.Network()); err != nil {
		t.Error(err)
	}
}
