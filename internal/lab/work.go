package lab

import "edm/sample"

// Work receives the progress of a piece of work: its name, and the number of its parts
// that are done, at first none.
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
