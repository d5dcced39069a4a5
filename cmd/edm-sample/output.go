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
	"edm/sample"
)

// maxGrid bounds the images on grid.png.
const maxGrid = 1024

// output is the folder of images.
type output struct {
	dir     string
	subdirs bool
	texts   []picture.Text // what all images have in common
	made    map[string]bool
}

// newOutput makes the folder and checks that files can be written to it, so
// that a run does not fail after the work is done.
func newOutput(dir string, subdirs bool) (*output, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--outdir: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return nil, fmt.Errorf("--outdir %s cannot be written: %w", dir, err)
	}
	name := probe.Name()
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("--outdir %s cannot be written: %w", dir, err)
	}
	if err := os.Remove(name); err != nil {
		return nil, fmt.Errorf("--outdir %s cannot be written: %w", dir, err)
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

// settings returns what makes an image besides its seed and class: the network
// and the sampler's options under their names on the command line.
func settings(n *network, o sample.Options) []picture.Text {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	texts := []picture.Text{
		{Key: "Software", Value: "edm-sample"},
		{Key: "solver", Value: o.Solver},
		{Key: "steps", Value: strconv.Itoa(o.NumSteps)},
		{Key: "sigma_min", Value: number(o.SigmaMin)},
		{Key: "sigma_max", Value: number(o.SigmaMax)},
		{Key: "rho", Value: number(o.Rho)},
		{Key: "S_churn", Value: number(o.SChurn)},
	}
	if o.SChurn > 0 { // else they change nothing
		texts = append(texts,
			picture.Text{Key: "S_min", Value: number(o.SMin)},
			picture.Text{Key: "S_max", Value: number(o.SMax)},
			picture.Text{Key: "S_noise", Value: number(o.SNoise)})
	}
	for _, t := range []picture.Text{
		{Key: "nimg", Value: n.metadata[nimgKey]},
		{Key: "network_sha256", Value: n.metadata[hashKey]},
	} {
		if t.Value != "" {
			texts = append(texts, t)
		}
	}
	return texts
}
