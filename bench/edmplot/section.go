package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"edm/internal/benchmark"
	"edm/model"
)

// section is a measured part of the document.
type section struct {
	name    string
	measure func(ctx context.Context, o options) (content, error)
}

// content is the content of a section.
type content struct {
	plots []panel // of one figure; none for no figure
	alt   string  // describes the figure
	table string  // Markdown
}

// sections returns all sections in the order of the document.
func sections(quick bool) []section {
	all := []section{{"machine", machine}}
	for _, s := range []sweep{byBatch(), byResolution(), byChannels(), byThreads(runtime.NumCPU()), byRecompute()} {
		if quick {
			s.points = s.points[:min(2, len(s.points))]
		}
		all = append(all, section{s.name, s.measure})
	}
	networks := []profiled{{"demo", preset("demo", 16)}, {"small", preset("small", 16)}, {"cifar10", preset("cifar10", 4)}}
	if quick {
		networks = networks[:1]
	}
	layers := func(ctx context.Context, o options) (content, error) { return layerTable(ctx, networks, o) }
	shapes := func(ctx context.Context, o options) (content, error) {
		return shapeTable(ctx, networks[len(networks)/2], o)
	}
	return append(all, section{"layers", layers}, section{"shapes", shapes})
}

func names(sections []section) []string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return all
}

// choose returns the sections of a list of names; all of them for none.
func choose(all []section, list string) ([]section, error) {
	if list == "" {
		return all, nil
	}
	var chosen []section
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: no section %q, want some of %s", name, strings.Join(names(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// byBatch, and the functions after it, return the sweeps of the document. All
// of them vary the network of the preset small.
func byBatch() sweep {
	s := sweep{name: "batch", axis: "images a step"}
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		s.add(float64(n), fmt.Sprint(n), preset("small", n))
	}
	return s
}

// byResolution keeps the pixels of a step, and so the work of its convolutions.
func byResolution() sweep {
	s := sweep{name: "resolution", axis: "image height and width, pixels"}
	for _, size := range []int{16, 32, 64, 128} {
		c := preset("small", 16*32*32/(size*size))
		c.Model.Network.ImgResolution = size
		s.add(float64(size), fmt.Sprintf("%dx%d, %d a step", size, size, c.Batch), c)
	}
	return s
}

func byChannels() sweep {
	s := sweep{name: "channels", axis: "base width, channels"}
	for _, width := range []int{16, 32, 64, 96, 128} {
		c := preset("small", 8)
		c.Model.Network.ModelChannels = width
		s.add(float64(width), fmt.Sprint(width), c)
	}
	return s
}

// byThreads doubles the threads up to those that the machine has.
func byThreads(most int) sweep {
	s := sweep{name: "threads", axis: "threads", speedup: true}
	for n := 1; n < most; n *= 2 {
		s.add(float64(n), fmt.Sprint(n), preset("small", 16))
	}
	s.add(float64(most), fmt.Sprint(most), preset("small", 16))
	for i := range s.points {
		s.points[i].threads = int(s.points[i].x)
	}
	return s
}

// byRecompute keeps less and less of the forward pass for the gradients.
func byRecompute() sweep {
	s := sweep{name: "recompute", plain: true}
	for i, r := range []struct {
		label string
		again model.Recompute
	}{
		{"all", model.Recompute{}},
		{"all but what takes no matrix product", model.Recompute{Light: true}},
		{"not the insides of blocks at 32x32", model.Recompute{Levels: []int{32}}},
		{"not the insides of any block", model.Recompute{Levels: []int{32, 16, 8}}},
	} {
		c := preset("small", 16)
		c.Recompute = r.again
		s.add(float64(i), r.label, c)
	}
	return s
}

// preset returns a preset for n images a step.
func preset(name string, n int) benchmark.Config {
	c, err := benchmark.Preset(name, n)
	if err != nil {
		panic(err) // the names are constants; a test makes all sections
	}
	return c
}
