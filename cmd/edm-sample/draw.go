package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"time"

	"edm/internal/cli"
	"edm/internal/picture"
	"edm/sample"
	"edm/sample/generate"
)

// imageJob is one call that draws images: its network, sampler and output.
type imageJob struct {
	*job
	generator *generate.Generator
	start     []float64 // image that all start from, or nil
	out       *output
	progress  *cli.Progress
	shown     []image.Image // the first images, for grid.png
	least     int           // fewest and most evaluations of an image so far, of adaptive solvers
	most      int
}

// prepare returns the source of the images, for images that start from or keep parts
// of another. It changes o to fit.
func (d *imageJob) prepare(o *sample.Settings) (generate.Source, error) {
	switch d.mode {
	case editMode:
		return d.edit.prepare(d, o)
	case inpaintMode:
		return d.inpaint.prepare(d)
	}
	return d.source, nil
}

// origin returns the image behind an edited one as texts of its file.
func (d *imageJob) origin() []picture.Text {
	switch d.mode {
	case editMode:
		return []picture.Text{{Key: "edit", Value: d.edit.name()}}
	case inpaintMode:
		return []picture.Text{{Key: "inpaint", Value: d.inpaint.name()}}
	}
	return nil
}

// newGenerator returns an generator with settings by name.
func newGenerator(source generate.Source, o sample.Settings) (*generate.Generator, error) {
	options, err := o.Options()
	if err != nil {
		return nil, err
	}
	return generate.New(source, options)
}

// drawImages draws one image a seed, saves them and says where they are.
func (s *job) drawImages(ctx context.Context) error {
	d := &imageJob{job: s}
	o, err := s.sampling()
	if err != nil {
		return err
	}
	source, err := d.prepare(&o)
	if err != nil {
		return err
	}
	if d.generator, err = newGenerator(source, o); err != nil {
		return cli.Usage(err)
	}
	if d.out, err = newOutput("--outdir", s.outdir, s.subdirs); err != nil {
		return err
	}
	d.out.texts = append(s.texts(o), d.origin()...)
	if err := s.announce(o, d.generator.Sampler); err != nil {
		return err
	}
	return d.all(ctx)
}

// all draws every image.
func (d *imageJob) all(ctx context.Context) error {
	start := time.Now()
	seeds := d.seeds.values
	d.progress = cli.NewProgress(d.stderr, "img", 0, int64(len(seeds)))
	defer d.progress.Close()
	for at := 0; at < len(seeds); at += d.batch {
		if err := d.some(ctx, at, min(at+d.batch, len(seeds))); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("interrupted: %d of %d images are in %s", at, len(seeds), d.outdir)
			}
			return err
		}
	}
	d.progress.Close()
	if err := d.finishGrid(); err != nil {
		return err
	}
	switch {
	case d.generator.NFE() > 0: // announced
	case d.guidance.asked:
		fmt.Fprintf(d.stdout, "up to %d network evaluations an image\n", d.most)
	default:
		fmt.Fprintf(d.stdout, "%d to %d network evaluations an image\n", d.least, d.most)
	}
	fmt.Fprintf(d.stdout, "%d images in %s, drawn in %v\n", len(seeds), d.outdir, time.Since(start).Round(time.Millisecond))
	return nil
}

// some draws and saves the images of seeds number at to end.
func (d *imageJob) some(ctx context.Context, at, end int) error {
	seeds := d.seeds.values[at:end]
	classes := classesOf(seeds, d.fixed, d.source.Classes)
	levels, before := d.generator.Sigmas(), d.evaluations()
	images, result, err := d.generator.Generate(ctx, generate.Request{
		Seeds: seeds, Classes: classes, Start: d.start,
		Hook: func(step sample.Step) error {
			d.progress.Set(int64(float64(at)+progressOf(step, levels)*float64(len(seeds))), "")
			return nil
		},
	})
	if err != nil {
		return err
	}
	d.count(result, d.evaluations()-before)
	for i, img := range images {
		if err := d.out.save(img, seeds[i], d.className(classes, i)); err != nil {
			return fmt.Errorf("save the image of seed %d: %w", seeds[i], err)
		}
	}
	if room := maxGrid - len(d.shown); d.wantsGrid() && room > 0 {
		d.shown = append(d.shown, images[:min(room, len(images))]...)
	}
	if !d.progress.Shown() {
		fmt.Fprintf(d.stdout, "%d/%d images\n", end, len(d.seeds.values))
	}
	return nil
}

// progressOf returns the part of a run that a step completes: of the steps, or,
// where a solver chooses them, of the way in ln sigma.
func progressOf(step sample.Step, levels []float64) float64 {
	if step.NumSteps > 0 {
		return float64(step.Index+1) / float64(step.NumSteps)
	}
	high, low := levels[0], levels[len(levels)-2]
	return math.Log(high/max(step.SigmaNext, low)) / math.Log(high/low)
}

// evaluations returns those so far of a guided denoiser's networks, 0 without
// guidance.
func (d *imageJob) evaluations() int {
	if c, ok := d.source.Denoiser.(interface{ Evaluations() int }); ok {
		return c.Evaluations()
	}
	return 0
}

// count keeps the evaluations of images that differ in them. guided is what the
// networks of a guided denoiser made for the batch: those of its slowest image.
func (d *imageJob) count(r sample.Result, guided int) {
	d.most = max(d.most, guided)
	if guided > 0 {
		return
	}
	for _, n := range r.ImageNFE {
		if d.most == 0 || n < d.least {
			d.least = n
		}
		d.most = max(d.most, n)
	}
}

func (d *imageJob) wantsGrid() bool { return d.autoGrid || d.grid > 0 }

func (d *imageJob) finishGrid() error {
	if !d.wantsGrid() {
		return nil
	}
	path, err := d.out.saveGrid(d.shown, d.grid, d.seeds.text)
	if err != nil {
		return fmt.Errorf("save the grid: %w", err)
	}
	note := ""
	if len(d.shown) < len(d.seeds.values) {
		note = fmt.Sprintf(" (the first %d images)", len(d.shown))
	}
	fmt.Fprintf(d.stdout, "grid %s%s\n", path, note)
	return nil
}
