// Command edmplot measures what training and evaluation cost against batch,
// resolution, channels and threads, and where a step's time goes, and writes the
// tables and plots of docs/performance.md. The text of that document stands
// between the sections that the command replaces:
//
//	<!-- measured: batch -->
//	<!-- end: batch -->
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"edm/internal/benchmark"
)

// config has the values of the command line.
type config struct {
	doc   string
	only  string
	quick bool
	options
}

// options say how long everything is measured.
type options struct {
	benchmark.Options
	steps int // of a profile
}

func main() {
	c, err := parse(os.Args[1:], os.Stderr)
	if err == flag.ErrHelp {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c, sections(c.quick), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "edmplot:", err)
		os.Exit(1)
	}
}

// parse reads the command line; faults are printed to w.
func parse(args []string, w io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("edmplot", flag.ContinueOnError)
	f.SetOutput(w)
	f.StringVar(&c.doc, "doc", filepath.Join("docs", "performance.md"), "`document` to write into; plots go to the folder of its name beside it")
	f.StringVar(&c.only, "only", "", "`sections` to measure, with commas between them (default: all): "+strings.Join(names(sections(false)), ", "))
	f.BoolVar(&c.quick, "quick", false, "measure a small part of every section, to see that it works")
	f.IntVar(&c.Rounds, "rounds", 5, "timings, of which the median counts")
	f.DurationVar(&c.Length, "length", time.Second, "length of a timing")
	f.IntVar(&c.steps, "steps", 5, "steps of a profile")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if err := c.validate(f.Args()); err != nil {
		fmt.Fprintln(w, "edmplot:", err)
		return c, err
	}
	return c, nil
}

// validate returns the first fault of the command line.
func (c config) validate(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case c.Rounds < 1 || c.steps < 1:
		return fmt.Errorf("-rounds is %d and -steps %d, want at least 1", c.Rounds, c.steps)
	case c.Length < 0:
		return fmt.Errorf("-length is %v, want 0 or more", c.Length)
	}
	_, err := choose(sections(false), c.only)
	return err
}

// run measures the sections that the command line asks for and writes each into
// the document once it is measured.
func run(ctx context.Context, c config, all []section, out io.Writer) error {
	chosen, err := choose(all, c.only)
	if err != nil {
		return err
	}
	doc, err := openDocument(c.doc, names(chosen))
	if err != nil {
		return err
	}
	for _, s := range chosen {
		start := time.Now()
		made, err := s.measure(ctx, c.options)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := doc.write(s.name, made); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, %.0f s:\n\n%s\n", s.name, time.Since(start).Seconds(), made.table)
	}
	return nil
}
