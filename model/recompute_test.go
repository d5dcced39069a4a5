package model_test

import (
	"fmt"
	"slices"
	"testing"

	"edm/internal/rng"
	"edm/loss"
	"edm/model"
	"edm/unet"
)

// lossProblem is a batch of the default objective with weights away from their
// nearly-zero start.
type lossProblem struct {
	weights []float32
	batch   model.Batch
	n       int
}

func newLossProblem(t testing.TB, m *model.Model, n int) *lossProblem {
	t.Helper()
	c, dim := m.Config(), m.Config().Dim()
	p := &lossProblem{weights: make([]float32, m.Layout().Size), n: n, batch: model.Batch{
		Images: make([]float32, n*dim), Noise: make([]float32, n*dim),
		Dropout: c.Network.Dropout, Gradient: 1, Seed: 5,
	}}
	if err := m.Layout().Init(p.weights, 1); err != nil {
		t.Fatal(err)
	}
	for i, q := range m.Layout().Params {
		shift := make([]float32, q.Len)
		rng.FillNormal(shift, 4, rng.Init, uint64(i))
		for j := range shift {
			q.View(p.weights)[j] += 0.05 * shift[j]
		}
	}
	rng.FillNormal(p.batch.Images, 1, rng.Noise, 0)
	rng.FillNormal(p.batch.Noise, 2, rng.Noise, 0)
	if c.Network.LabelDim > 0 {
		p.batch.Labels = make([]float32, n*c.Network.LabelDim)
	}
	for i := range n {
		sigma := 0.1 + 0.7*float64(i)
		p.batch.Sigma = append(p.batch.Sigma, sigma)
		p.batch.Weight = append(p.batch.Weight, loss.Default().Weight(sigma))
		p.batch.Counter = append(p.batch.Counter, int64(7+i))
		if c.Network.LabelDim > 0 {
			p.batch.Labels[i*c.Network.LabelDim+i%c.Network.LabelDim] = 1
		}
	}
	return p
}

// run returns the losses and the gradient of a program.
func (p *lossProblem) run(t testing.TB, l *model.Loss) (losses []float64, grad []float32) {
	t.Helper()
	losses, grad = make([]float64, p.n), make([]float32, len(p.weights))
	if err := l.Run(p.weights, grad, losses, &p.batch); err != nil {
		t.Fatal(err)
	}
	return losses, grad
}

// recomputations are the choices for the levels of a network.
func recomputations(levels []int) []model.Recompute {
	all := []model.Recompute{{Light: true}, {Levels: levels}, {Levels: levels, Light: true}}
	for i := range levels {
		all = append(all, model.Recompute{Levels: levels[i : i+1]})
	}
	return append(all, model.Recompute{Levels: levels[:1], Light: true})
}

// Recomputation gives the same bits, with dropout and labels, in every
// architecture and on every device, and less memory.
func TestRecomputationChangesNoBit(t *testing.T) {
	for _, arch := range unet.ArchNames() {
		for _, d := range devices(t) {
			c := little()
			if arch == unet.ADM {
				c.Network.ModelChannels, c.Network.ImgResolution, c.Network.AttnResolutions = 64, 4, []int{2}
			}
			var err error
			if c.Network, err = c.Network.WithArch(arch); err != nil {
				t.Fatal(err)
			}
			m := newModel(t, c, d)
			p := newLossProblem(t, m, 2)
			plain, err := m.NewLoss(loss.Default(), p.n, true)
			if err != nil {
				t.Fatal(err)
			}
			wantLosses, want := p.run(t, plain)
			for _, r := range recomputations(c.Network.Levels()) {
				l, err := m.NewRecomputingLoss(loss.Default(), p.n, r)
				if err != nil {
					t.Fatal(err)
				}
				losses, grad := p.run(t, l)
				if !slices.Equal(losses, wantLosses) || !slices.Equal(grad, want) {
					t.Errorf("%s on %s: %+v gives other bits", arch, d.Name(), r)
				}
				if less, whole := l.Program().Program().LiveBytes(), plain.Program().Program().LiveBytes(); less >= whole {
					t.Errorf("%s on %s: %+v needs %d bytes, %d without", arch, d.Name(), r, less, whole)
				}
			}
		}
	}
}

// What the networks' training steps need: the arena is the least that is alive
// at once but for a twentieth, and recomputation saves what it is said to for no
// more work than that.
func TestMemoryOfTrainingSteps(t *testing.T) {
	device, err := model.OpenCPU(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close() })
	for _, c := range []struct {
		preset string
		n      int
	}{{"demo", 16}, {"small", 16}, {"cifar10", 4}, {"ffhq64", 2}, {"imagenet64", 1}} {
		m := newModel(t, preset(t, c.preset), device)
		levels := m.Config().Network.Levels()
		var whole model.LossPlan
		for _, k := range []struct {
			model.Recompute
			memory, work float64 // at most, of those without
		}{
			{model.Recompute{}, 1, 0},
			{model.Recompute{Light: true}, 0.7, 0},
			{model.Recompute{Levels: levels[:1]}, 0.85, 0.15},
			{model.Recompute{Levels: levels}, 0.5, 0.27},
		} {
			what := fmt.Sprintf("%s, %d images, %+v", c.preset, c.n, k.Recompute)
			p, err := m.PlanLoss(loss.Default(), c.n, true, k.Recompute)
			if err != nil {
				t.Fatal(err)
			}
			if whole.ArenaBytes == 0 {
				whole = p
			}
			if ratio := float64(p.ArenaBytes) / float64(p.LiveBytes); ratio < 1 || ratio > 1.05 {
				t.Errorf("%s: the arena is %.3f of the bytes alive, want at most 1.05", what, ratio)
			}
			if ratio := float64(p.ArenaBytes) / float64(whole.ArenaBytes); ratio > k.memory {
				t.Errorf("%s: %.3f of the memory without, want at most %g", what, ratio, k.memory)
			}
			if work := p.Recomputed / whole.Flops; work > k.work || p.Flops-p.Recomputed != whole.Flops {
				t.Errorf("%s: %.3f of the operations are repeated, want at most %g", what, work, k.work)
			}
		}
	}
}

func TestRecomputationFaults(t *testing.T) {
	m := newModel(t, little(), model.Portable())
	if _, err := m.NewRecomputingLoss(loss.Default(), 1, model.Recompute{Levels: []int{8, 5}}); err == nil {
		t.Error("a level that the network has not was accepted")
	}
	// The loss alone keeps nothing for later.
	with, err := m.PlanLoss(loss.Default(), 1, false, model.Recompute{Levels: []int{8}, Light: true})
	if err != nil {
		t.Fatal(err)
	}
	without, err := m.PlanLoss(loss.Default(), 1, false, model.Recompute{})
	if err != nil {
		t.Fatal(err)
	}
	if with != without {
		t.Errorf("without gradients the plan is %+v, and %+v with recomputation", without, with)
	}
}

// BenchmarkTrainingStep is the loss and its gradient on one thread and on all,
// and with less memory.
func BenchmarkTrainingStep(b *testing.B) {
	for _, c := range []struct {
		preset string
		n      int
	}{{"demo", 16}, {"small", 16}, {"cifar10", 4}} {
		for _, threads := range []int{1, 0} {
			device, err := model.OpenCPU(threads)
			if err != nil {
				b.Fatal(err)
			}
			m := newModel(b, preset(b, c.preset), device)
			levels := m.Config().Network.Levels()
			p := newLossProblem(b, m, c.n)
			grad, losses := make([]float32, len(p.weights)), make([]float64, c.n)
			for _, r := range []struct {
				name string
				model.Recompute
			}{
				{"keep", model.Recompute{}}, {"light", model.Recompute{Light: true}},
				{"top", model.Recompute{Levels: levels[:1]}}, {"all", model.Recompute{Levels: levels}},
			} {
				b.Run(fmt.Sprintf("%s/batch=%d/threads=%d/%s", c.preset, c.n, threads, r.name), func(b *testing.B) {
					l, err := m.NewRecomputingLoss(loss.Default(), c.n, r.Recompute)
					if err != nil {
						b.Fatal(err)
					}
					for b.Loop() {
						if err := l.Run(p.weights, grad, losses, &p.batch); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(l.Program().Program().ArenaBytes())/(1<<20), "MiB")
					b.ReportMetric(float64(c.n*b.N)/b.Elapsed().Seconds(), "img/s")
				})
			}
			device.Close()
		}
	}
}
