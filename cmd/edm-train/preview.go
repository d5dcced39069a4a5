package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"edm/internal/atomicfile"
	"edm/internal/picture"
	"edm/sample"
	"edm/sample/generate"
	"edm/train"
)

// previewColumns is the width of a preview grid, in images.
const previewColumns = 8

// preview draws a grid of fixed seeds beside every snapshot.
type preview struct {
	ctx     context.Context
	images  int
	batch   int
	display *display
}

// snapshot draws the grid of a snapshot. A preview that fails is a warning: the
// training behind it goes on.
func (p *preview) snapshot(s train.Snapshot) error {
	if p.images == 0 || p.ctx.Err() != nil {
		return nil
	}
	start := time.Now()
	path, err := p.draw(s)
	switch {
	case p.ctx.Err() != nil: // stopped meanwhile
	case err != nil:
		p.display.warn(fmt.Sprintf("no preview at %d images: %v", s.NImg, err))
	default:
		p.display.preview(path, time.Since(start))
	}
	return nil
}

func (p *preview) draw(s train.Snapshot) (path string, err error) {
	seeds := make([]uint64, p.images)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	var classes []int
	if c := s.Model.Config().Network.LabelDim; c > 0 {
		for i := range seeds {
			classes = append(classes, i%c)
		}
	}
	images, err := generate.Images(p.ctx, s.Model, s.Weights, seeds, generate.Options{
		Sampler: sample.EDM(), Batch: p.batch, Classes: classes,
	})
	if err != nil {
		return "", err
	}
	grid, err := picture.Grid(images, previewColumns)
	if err != nil {
		return "", err
	}
	path = previewPath(s.Path)
	texts := []picture.Text{{Key: "Software", Value: "edm-train"}, {Key: "nimg", Value: fmt.Sprint(s.NImg)}}
	return path, atomicfile.Write(path, 0o644, func(w io.Writer) error { return picture.Encode(w, grid, texts) })
}

// previewPath returns the preview's path beside a snapshot:
// samples-000030000.png for snapshot-000030000.safetensors.
func previewPath(snapshot string) string {
	name := strings.TrimSuffix(filepath.Base(snapshot), filepath.Ext(snapshot))
	return filepath.Join(filepath.Dir(snapshot), strings.Replace(name, "snapshot", "samples", 1)+".png")
}
