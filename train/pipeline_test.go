package train

import (
	"context"
	"errors"
	"slices"
	"testing"

	"edm/data"
)

func newTestPipeline(t *testing.T, c Config, ds data.Dataset) *pipeline {
	t.Helper()
	d, err := newDraws(c, ds.Shape().Len())
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPipeline(c, d, ds, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// TestPipeline: whether microbatches are asked for ahead or not, they are those of the
// images in their order, each valid while it is held, and ahead ends with the run.
func TestPipeline(t *testing.T) {
	c := quick(t)
	c.Batch, c.Micro, c.Duration = 8, 4, 32e-6 // 4 batches of 2
	pixels := func(lookAhead bool) (all []uint8) {
		p := newTestPipeline(t, c, blobs{200})
		for i := range 8 {
			m, err := p.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			before := slices.Clone(m.Pixels)
			if lookAhead {
				ahead := p.ahead(t.Context())
				if (ahead != nil) != (i < 7) || ahead != nil && (ahead != p.ahead(t.Context()) || ahead.Counter[0] != int64(4*i+4)) {
					t.Fatalf("microbatch %d: ahead of it is %v", i, ahead)
				}
			}
			if !slices.Equal(m.Pixels, before) || m.Counter[0] != int64(4*i) {
				t.Errorf("microbatch %d begins with image %d, or changed while it was held", i, m.Counter[0])
			}
			all = append(all, m.Pixels...)
			m.release()
		}
		return all
	}
	if !slices.Equal(pixels(false), pixels(true)) {
		t.Error("looking ahead changes the images")
	}
}

// TestPipelineFailures: what fails ahead of its step fails again when it is due.
func TestPipelineFailures(t *testing.T) {
	c := quick(t)
	c.Batch, c.Micro, c.Duration = 8, 8, 16e-6
	p := newTestPipeline(t, c, blobs{200})
	m, err := p.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ahead := p.ahead(ended); ahead != nil {
		t.Error("a batch was read although the context has ended")
	}
	if _, err := p.next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that of the context", err)
	}
	m.release()
	if m, err := p.next(t.Context()); err != nil || m.Counter[0] != 8 {
		t.Errorf("%v: the batch after a context that ended is lost", err)
	}
}
