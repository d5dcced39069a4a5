package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"edm/internal/cli"
	"edm/train"
)

// display shows a run as it goes: lines on the output, and a bar on the error
// stream if that is a terminal.
type display struct {
	stdout, stderr io.Writer
	device         string
	total          int64
	progress       *cli.Progress // nil before the start
}

func (d *display) start(s train.Start) {
	verb, from := "training in", ""
	if s.NImg > 0 {
		verb, from = "resuming", fmt.Sprintf(", from image %d", s.NImg)
	}
	d.line("%s %s%s", verb, s.Dir, from)
	d.line("%s, %d parameters, %s a step, %d images, %s", s.Config.Preset, s.Parameters, cli.Bytes(s.PlanBytes), s.Total, d.device)
	d.total = s.Total
	d.progress = cli.NewProgress(d.stderr, "img", s.NImg, s.Total)
}

func (d *display) step(s train.Step) { d.progress.Set(s.NImg, fmt.Sprintf("loss %.4f", s.Loss)) }

func (d *display) tick(t train.Tick) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d/%d images, loss %.4f", t.NImg, d.total, t.Loss)
	if t.ValRaw != nil && t.ValEMA != nil {
		fmt.Fprintf(&b, ", validation %.4f (average %.4f)", *t.ValRaw, *t.ValEMA)
	}
	fmt.Fprintf(&b, ", %s img/s, %v left", cli.Rate(t.ImgPerSec), cli.Left(d.total-t.NImg, t.ImgPerSec))
	d.line("%s", b.String())
}

func (d *display) preview(path string, took time.Duration) {
	d.line("preview %s (%v)", path, took.Round(100*time.Millisecond))
}

func (d *display) warn(message string) { d.print(d.stderr, "warning: "+message) }

func (d *display) line(format string, args ...any) { d.print(d.stdout, fmt.Sprintf(format, args...)) }

func (d *display) print(w io.Writer, line string) {
	if d.progress == nil {
		fmt.Fprintln(w, line)
		return
	}
	d.progress.Println(w, line)
}

func (d *display) close() {
	if d.progress != nil {
		d.progress.Close()
	}
}
