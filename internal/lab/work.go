package lab

import "edm/sample"

// Work is told how far a piece of work has come: what it is, and how many of its
// parts are done, at first none.
type Work func(what string, done, total int)

// tell calls w if there is one.
func (w Work) tell(what string, done, total int) {
	if w != nil {
		w(what, done, total)
	}
}

// hook returns a sampler's hook that tells of its steps.
func (w Work) hook(what string) func(sample.Step) error {
	if w == nil {
		return nil
	}
	return func(s sample.Step) error {
		w(what, s.Index+1, s.NumSteps)
		return nil
	}
}
