package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows how far a piece of work has come: as a bar that is redrawn if
// its stream is a terminal, else not at all. Lines between go through Println,
// so that they do not run into the bar.
type Progress struct {
	mu      sync.Mutex
	bar     *progressbar.ProgressBar // nil off a terminal
	w       io.Writer
	unit    string
	initial int64
	total   int64
	began   time.Time
	drawn   time.Time // when the bar was last drawn
}

// barWidth is the number of characters that fill up.
const barWidth = 16

// redraw is the time between two drawings of a bar.
const redraw = 100 * time.Millisecond

// NewProgress starts the progress of work at initial out of total, counted in a
// unit such as "img".
func NewProgress(w io.Writer, unit string, initial, total int64) *Progress {
	p := &Progress{w: w, unit: unit, initial: initial, total: max(total, 1), began: time.Now()}
	if IsTerminal(w) {
		p.bar = newBar(w, p.total)
	}
	return p
}

func newBar(w io.Writer, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false), // ours counts what a resumed run had done
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionClearOnFinish(),
	)
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Shown reports whether there is a bar.
func (p *Progress) Shown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bar != nil
}

// Set moves the bar to n, with a short note behind it.
func (p *Progress) Set(n int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil || time.Since(p.drawn) < redraw {
		return
	}
	p.drawn = time.Now()
	text := status(n-p.initial, p.total-n, time.Since(p.began), p.unit, note)
	p.bar.Describe(cut(text, columns(p.w)-barColumns-2*len(strconv.FormatInt(p.total, 10))))
	// The bar's only faults are those of a terminal that went away.
	_ = p.bar.Set64(min(n, p.total))
}

// barColumns is the width of a drawn bar with its percentage and the brackets of
// the count, without the count's two numbers and the text behind.
const barColumns = barWidth + 16

// columns returns the width of a terminal, 80 if it does not tell.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// cut returns the start of ASCII text that fits into room: a line that wraps
// would scroll at every drawing.
func cut(text string, room int) string { return text[:max(0, min(len(text), room))] }

// status returns the text behind the bar: note, rate and time left.
func status(done, left int64, took time.Duration, unit, note string) string {
	rate := float64(done) / took.Seconds()
	if done <= 0 || took <= 0 {
		return note
	}
	if note != "" {
		note += ", "
	}
	return fmt.Sprintf("%s%s %s/s, %v left", note, Rate(rate), unit, Left(left, rate))
}

// Rate returns a rate with three digits.
func Rate(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// Left returns the time that n more take at a rate per second, rounded to
// seconds; 0 if it cannot be told.
func Left(n int64, rate float64) time.Duration {
	seconds := float64(max(n, 0)) / rate
	if math.IsNaN(seconds) || seconds > math.MaxInt64/float64(time.Second) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

// Println writes a line to w; the bar, if any, is redrawn below it.
func (p *Progress) Println(w io.Writer, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(w, line)
}

// Close removes the bar. It may be called on any of the ways out, also twice.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
		p.bar = nil
	}
}
