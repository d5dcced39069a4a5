package main

import (
	"fmt"
	"io"

	"edm/internal/cli"
)

// watch reports the progress of a long call: a line for each piece of work, and on a
// terminal the finished part.
type watch struct {
	stderr   io.Writer
	what     string
	progress *cli.Progress // nil between pieces
}

// work is a lab.Work.
func (w *watch) work(what string, done, total int) {
	if w.progress == nil || what != w.what {
		w.say(what)
		w.what, w.progress = what, cli.NewProgress(w.stderr, "step", 0, int64(total))
	}
	w.progress.Set(int64(done), "")
	if done == total {
		w.close()
	}
}

// say prints a line in place of the bar.
func (w *watch) say(line string) {
	w.close()
	fmt.Fprintln(w.stderr, line)
}

// close removes the bar.
func (w *watch) close() {
	if w.progress != nil {
		w.progress.Close()
		w.progress = nil
	}
}
