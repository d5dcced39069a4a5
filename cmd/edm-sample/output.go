package main

import (
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"edm/internal/atomicfile"
	"edm/internal/picture"
)

// maxGrid bounds the images on grid.png.
const maxGrid = 1024

// output is the folder of images.
type output struct {
	dir     string
	subdirs bool
	texts   []picture.Text // of all images
	made    map[string]bool
}

// newOutput makes the folder that a flag names and checks that files can be
// written to it, so that a run does not fail after the work is done.
func newOutput(flag, dir string, subdirs bool) (*output, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return nil, fmt.Errorf("%s: %s cannot be written: %w", flag, dir, err)
	}
	name := probe.Name()
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("%s: %s cannot be written: %w", flag, dir, err)
	}
	if err := os.Remove(name); err != nil {
		return nil, fmt.Errorf("%s: %s cannot be written: %w", flag, dir, err)
	}
	return &output{dir: dir, subdirs: subdirs, made: map[string]bool{}}, nil
}

// path returns where the image of a seed goes.
func (out *output) path(seed uint64) string {
	name := fmt.Sprintf("%06d.png", seed)
	if out.subdirs {
		return filepath.Join(out.dir, fmt.Sprintf("%06d", seed-seed%1000), name)
	}
	return filepath.Join(out.dir, name)
}

// save writes the image of a seed; class is -1 for none.
func (out *output) save(img image.Image, seed uint64, class string) error {
	texts := []picture.Text{{Key: "seed", Value: strconv.FormatUint(seed, 10)}}
	if class != "" {
		texts = append(texts, picture.Text{Key: "class", Value: class})
	}
	path := out.path(seed)
	if dir := filepath.Dir(path); !out.made[dir] {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		out.made[dir] = true
	}
	return out.write(path, img, append(texts, out.texts...))
}

// saveGrid writes grid.png and returns its path.
func (out *output) saveGrid(images []image.Image, columns int, seeds string) (string, error) {
	if columns == 0 {
		columns = int(math.Ceil(math.Sqrt(float64(len(images)))))
	}
	grid, err := picture.Grid(images, columns)
	if err != nil {
		return "", err
	}
	path := filepath.Join(out.dir, "grid.png")
	texts := append([]picture.Text{{Key: "seeds", Value: seeds}}, out.texts...)
	return path, out.write(path, grid, texts)
}

func (out *output) write(path string, img image.Image, texts []picture.Text) error {
	return atomicfile.Write(path, 0o644, func(w io.Writer) error { return picture.Encode(w, img, texts) })
}

// saveFile writes a file whole or not at all.
func saveFile(path string, write func(io.Writer) error) error {
	if err := atomicfile.Write(path, 0o644, write); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}
