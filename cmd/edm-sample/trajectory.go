package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"edm/internal/cli"
	"edm/internal/picture"
	"edm/sample"
	"edm/sample/generate"
)

const (
	maxFrames     = 120                    // of an animation
	animationSide = 128                    // pixels of an enlarged image, at least
	animationTime = 4 * time.Second        // of all frames but the last
	longestFrame  = 400 * time.Millisecond // of one of them
	lastFrame     = 2 * time.Second
)

// trajectory is --trajectory: the way of one image from noise.
type trajectory struct{ path string }

func (t *trajectory) bind(f *pflag.FlagSet) {
	f.StringVar(&t.path, trajectoryMode, "", "write the first seed's way from noise to this animated `file`, .gif, .png or .apng: the noisy image beside D's estimate")
}

func (t *trajectory) validate() error {
	switch t.kind() {
	case ".gif", ".png", ".apng":
		return nil
	}
	return fmt.Errorf("--trajectory is %q, want a file .gif, .png or .apng", t.path)
}

func (t *trajectory) kind() string { return strings.ToLower(filepath.Ext(t.path)) }

// animate draws the first seed and writes its way.
func (s *job) animate(ctx context.Context) error {
	o, err := s.sampling()
	if err != nil {
		return err
	}
	generator, err := newGenerator(s.source, o)
	if err != nil {
		return cli.Usage(err)
	}
	// Before the work, so that a folder that is not there costs none.
	out, err := newOutput("--trajectory", filepath.Dir(s.trajectory.path), false)
	if err != nil {
		return err
	}
	if err := s.announce(o, generator.Sampler); err != nil {
		return err
	}
	f, texts, err := s.shoot(ctx, generator)
	if err != nil {
		return err
	}
	frames := f.frames()
	texts = append(texts, s.texts(o)...)
	path := filepath.Join(out.dir, filepath.Base(s.trajectory.path))
	err = saveFile(path, func(w io.Writer) error {
		if s.trajectory.kind() == ".gif" {
			return picture.EncodeGIF(w, frames)
		}
		return picture.EncodeAPNG(w, frames, texts)
	})
	if err != nil {
		return fmt.Errorf("--trajectory: %w", err)
	}
	fmt.Fprintf(s.stdout, "trajectory of seed %d in %d frames: %s\n", s.seeds.values[0], len(frames), path)
	return nil
}

// shoot draws the first seed and returns its trajectory, and its texts.
func (s *job) shoot(ctx context.Context, generator *generate.Generator) (*film, []picture.Text, error) {
	seed := s.seeds.values[:1]
	classes := classesOf(seed, s.fixed, s.source.Classes)
	f := &film{source: s.source}
	if err := f.begin(seed[0], generator.Sigmas()[0]); err != nil {
		return nil, nil, err
	}
	images, _, err := generator.Generate(ctx, generate.Request{Seeds: seed, Classes: classes, Hook: f.step})
	if err == nil {
		err = f.end(images[0])
	}
	texts := []picture.Text{{Key: "seed", Value: strconv.FormatUint(seed[0], 10)}}
	if class := s.className(classes, 0); class != "" {
		texts = append(texts, picture.Text{Key: "class", Value: class})
	}
	return f, texts, err
}

// film collects the frames of an animation: the noisy image and beside it D's
// estimate of the clean one.
type film struct {
	source generate.Source
	noisy  []float64 // the state that the next estimate belongs to, as shown
	images []image.Image
}

// begin sets the state before the first step.
func (f *film) begin(seed uint64, sigma float64) error {
	f.noisy = make([]float64, f.source.Dim())
	if err := sample.Latents(f.noisy, []uint64{seed}, len(f.noisy)); err != nil {
		return err
	}
	for j := range f.noisy {
		f.noisy[j] *= sigma / shownScale(sigma)
	}
	return nil
}

// shownScale returns the divisor of a noisy image on display: the standard
// deviation of noisy data of deviation 1, so that noise fills the picture's
// range and a clean image is itself.
func shownScale(sigma float64) float64 { return math.Sqrt(1 + sigma*sigma) }

// step adds the frame of a step's start and keeps its end.
func (f *film) step(s sample.Step) error {
	left, err := f.source.Image(f.noisy)
	if err != nil {
		return err
	}
	right, err := f.source.Image(s.Denoised)
	if err != nil {
		return err
	}
	pair, err := beside(left, right)
	if err != nil {
		return err
	}
	f.images = append(f.images, pair)
	for j, v := range s.X {
		f.noisy[j] = v / s.Scale / shownScale(s.SigmaNext)
	}
	return nil
}

// end adds the finished image, on both sides.
func (f *film) end(img image.Image) error {
	pair, err := beside(img, img)
	f.images = append(f.images, pair)
	return err
}

// beside joins two images alike.
func beside(left, right image.Image) (image.Image, error) {
	return picture.Grid([]image.Image{left, right}, 2)
}

// frames returns the frames, enlarged, with their times; of very many steps, an
// even selection.
func (f *film) frames() []picture.Frame {
	last := len(f.images) - 1
	n := min(last, maxFrames)
	factor := (animationSide + f.source.Width - 1) / f.source.Width
	each := min(animationTime/time.Duration(max(n, 1)), longestFrame)
	var frames []picture.Frame
	for k := range n {
		frames = append(frames, picture.Frame{Image: picture.Enlarge(f.images[k*last/n], factor), Delay: each})
	}
	return append(frames, picture.Frame{Image: picture.Enlarge(f.images[last], factor), Delay: lastFrame})
}
