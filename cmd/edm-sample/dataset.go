package main

import (
	"errors"
	"fmt"

	"edm/data"
	"edm/internal/cli"
)

// images are the images of a dataset that a network is given.
type images struct {
	data.Dataset
	labelled bool
}

// openImages opens the dataset in the network's shape.
func (s *job) openImages() (*images, error) {
	if s.source.Channels != 1 && s.source.Channels != 3 {
		return nil, fmt.Errorf("--%s: the network's images have %d channels, want 1 or 3", s.mode, s.source.Channels)
	}
	o := data.DefaultOptions()
	o.Resolution, o.RGB, o.MaxSize = s.source.Height, s.source.Channels == 3, s.density.count
	ds, err := data.Open(s.density.data, o)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", s.mode, err)
	}
	im := &images{ds, s.source.Classes > 0}
	switch shape := ds.Shape(); {
	case shape.Channels != s.source.Channels || shape.Height != s.source.Height || shape.Width != s.source.Width:
		err = cli.Usagef("--%s: the images of %s are %v, those of the network %dx%dx%d",
			s.mode, ds.Name(), shape, s.source.Channels, s.source.Height, s.source.Width)
	case im.labelled && ds.NumClasses() > s.source.Classes:
		err = cli.Usagef("--%s: %s has %d classes, the network %d", s.mode, ds.Name(), ds.NumClasses(), s.source.Classes)
	}
	if err != nil {
		return nil, errors.Join(err, data.Close(ds))
	}
	return im, nil
}

// batch returns the bytes of images number at to end, and their classes.
func (im *images) batch(at, end int) (bytes []uint8, classes []int, err error) {
	dim := im.Shape().Len()
	bytes = make([]uint8, (end-at)*dim)
	for i := at; i < end; i++ {
		if err := im.Image(i, bytes[(i-at)*dim:(i-at+1)*dim]); err != nil {
			return nil, nil, err
		}
		if im.labelled {
			classes = append(classes, im.Label(i))
		}
	}
	return bytes, classes, nil
}
