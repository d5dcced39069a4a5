package outside

import (
	"testing"

	"edm/checkpoints"
	"edm/model"
	"edm/train"
)

// A run with an objective and a preconditioning of another module trains, and its
// snapshot and its configuration name them.
func TestTrain(t *testing.T) {
	if err := Register(); err != nil {
		t.Fatal(err)
	}
	if err := Register(); err != nil {
		t.Errorf("registering again: %v", err) // the last one counts
	}
	var losses []float64
	result, err := Train(t.Context(), t.TempDir(), 0.32, train.Hooks{Step: func(s train.Step) { losses = append(losses, s.Loss) }})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(losses); n != 20 || !(losses[n-1] < losses[0]) {
		t.Errorf("losses %v, want 20 that fall", losses)
	}
	config, err := train.LoadConfig(result.Dir)
	if err != nil || config.Precond != "velocity" || config.Loss != "angles" {
		t.Errorf("%v: the run has precond %q and loss %q", err, config.Precond, config.Loss)
	}
	file, err := checkpoints.Load(result.Snapshot, checkpoints.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := model.FromSnapshot(file, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := m.Config().Precond.(Velocity); !ok || p.Data != 0.5 {
		t.Errorf("the snapshot has %v", m.Config().Precond)
	}
}
