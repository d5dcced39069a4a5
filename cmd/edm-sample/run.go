package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"
	"time"

	"edm/internal/cli"
	"edm/model"
)

// job is one call of the command: what it draws, with what, and where to.
type job struct {
	*options
	artist         *cli.Artist
	network        *network
	out            *output
	fixed          int // class of all images, or -1
	stdout, stderr io.Writer
	progress       *cli.Progress
	shown          []image.Image // the first images, for grid.png
}

// run draws the images that the options ask for.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	device, err := model.OpenCPU(o.threads)
	if err != nil {
		return err
	}
	j, err := newJob(o, device, stdout, stderr)
	if err == nil {
		err = j.run(ctx)
	}
	return errors.Join(err, device.Close())
}

// newJob does all that can fail before the work.
func newJob(o *options, device *model.Device, stdout, stderr io.Writer) (*job, error) {
	j := &job{options: o, stdout: stdout, stderr: stderr}
	warn := func(message string) { fmt.Fprintln(stderr, "warning:", message) }
	var err error
	if j.network, err = loadNetwork(o, device, warn); err != nil {
		return nil, err
	}
	n := j.network
	if j.artist, err = cli.NewArtist(n.model, n.weights, o.sampler, min(o.batch, len(o.seeds.values))); err != nil {
		return nil, cli.Usage(err)
	}
	if j.fixed, err = fixedClass(o.class, j.artist.Classes(), n.classNames); err != nil {
		return nil, cli.Usage(err)
	}
	if j.out, err = newOutput(o.outdir, o.subdirs); err != nil {
		return nil, err
	}
	j.out.texts = settings(n, o.sampler)
	return j, nil
}

// run draws, saves and says where everything is.
func (j *job) run(ctx context.Context) error {
	j.announce()
	start := time.Now()
	seeds := j.seeds.values
	j.progress = cli.NewProgress(j.stderr, "img", 0, int64(len(seeds)))
	defer j.progress.Close()
	for at := 0; at < len(seeds); at += j.batch {
		if err := j.drawBatch(ctx, at, min(at+j.batch, len(seeds))); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("interrupted: %d of %d images are in %s", at, len(seeds), j.outdir)
			}
			return err
		}
	}
	j.progress.Close()
	if err := j.finishGrid(); err != nil {
		return err
	}
	fmt.Fprintf(j.stdout, "%d images in %s, drawn in %v\n", len(seeds), j.outdir, time.Since(start).Round(time.Millisecond))
	return nil
}

// announce prints what is about to be drawn.
func (j *job) announce() {
	s := j.sampler
	mode := fmt.Sprintf("stochastic (S_churn=%g)", s.SChurn)
	if s.SChurn == 0 {
		mode = "deterministic (S_churn=0)"
	}
	fmt.Fprintf(j.stdout, "network %s\n%s, %d steps, %d network evaluations an image, %s\n",
		j.network.path, s.Solver, s.NumSteps, j.artist.NFE(), mode)
	for _, note := range j.artist.Notes() {
		fmt.Fprintln(j.stdout, note)
	}
}

// drawBatch draws and saves the images of seeds number at to end.
func (j *job) drawBatch(ctx context.Context, at, end int) error {
	seeds := j.seeds.values[at:end]
	classes := classesOf(seeds, j.fixed, j.artist.Classes())
	steps := 0
	images, err := j.artist.Draw(ctx, seeds, classes, func() {
		steps++
		j.progress.Set(int64(at+steps*len(seeds)/j.sampler.NumSteps), "")
	})
	if err != nil {
		return err
	}
	for i, img := range images {
		if err := j.out.save(img, seeds[i], j.className(classes, i)); err != nil {
			return fmt.Errorf("save the image of seed %d: %w", seeds[i], err)
		}
	}
	if room := maxGrid - len(j.shown); j.wantsGrid() && room > 0 {
		j.shown = append(j.shown, images[:min(room, len(images))]...)
	}
	if !j.progress.Shown() {
		fmt.Fprintf(j.stdout, "%d/%d images\n", end, len(j.seeds.values))
	}
	return nil
}

// className returns the class of image i as text: its number and, if known, its
// name; "" for none.
func (j *job) className(classes []int, i int) string {
	if classes == nil {
		return ""
	}
	text := strconv.Itoa(classes[i])
	if names := j.network.classNames; names != nil {
		text += " " + names[classes[i]]
	}
	return text
}

func (j *job) wantsGrid() bool { return j.autoGrid || j.grid > 0 }

func (j *job) finishGrid() error {
	if !j.wantsGrid() {
		return nil
	}
	path, err := j.out.saveGrid(j.shown, j.grid, j.seeds.text)
	if err != nil {
		return fmt.Errorf("save the grid: %w", err)
	}
	note := ""
	if len(j.shown) < len(j.seeds.values) {
		note = fmt.Sprintf(" (the first %d images)", len(j.shown))
	}
	fmt.Fprintf(j.stdout, "grid %s%s\n", path, note)
	return nil
}
