package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edm/internal/benchmark"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// tiny returns a small network with every kind of layer.
func tiny(batch int) benchmark.Config {
	n := unet.DefaultConfig()
	n.ImgResolution, n.InChannels, n.OutChannels = 8, 1, 1
	n.ModelChannels, n.ChannelMult, n.NumBlocks = 8, []int{1, 2}, 1
	n.AttnResolutions = []int{4}
	return benchmark.Config{Model: model.Config{Network: n, Precond: precond.DefaultEDM()}, Batch: batch}
}

func shortly() options { return options{Options: benchmark.Options{Rounds: 1}, steps: 1} }

// tinySections are like those of the document.
func tinySections() []section {
	s := sweep{name: "batch", axis: "images a step", speedup: true}
	s.add(1, "1", tiny(1))
	s.add(2, "2", tiny(2))
	s.points[0].threads = 1
	networks := []profiled{{"one", tiny(1)}, {"two", tiny(2)}}
	return []section{
		{"machine", machine}, {s.name, s.measure},
		{"layers", func(ctx context.Context, o options) (content, error) { return layerTable(ctx, networks, o) }},
		{"shapes", func(ctx context.Context, o options) (content, error) { return shapeTable(ctx, networks[1], o) }},
	}
}

const emptyDocument = `# Title
<!-- measured: machine -->
<!-- end: machine -->
between
<!-- measured: batch -->
old
<!-- end: batch -->
<!-- measured: layers --><!-- end: layers -->
<!-- measured: shapes -->
<!-- end: shapes -->
last`

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cost.md")
	if err := os.WriteFile(path, []byte(emptyDocument), 0o644); err != nil {
		t.Fatal(err)
	}
	var first string
	for range 2 { // a second run replaces the first
		var said bytes.Buffer
		c := config{doc: path, options: shortly()}
		if err := run(t.Context(), c, tinySections(), &said); err != nil {
			t.Fatal(err)
		}
		text := read(t, path)
		for _, want := range []string{
			"# Title\n<!-- measured: machine -->\n", "between\n", "![Time of an image and rate of work against images a step](cost/batch.svg)",
			"| images a step |", "FMA peak, one thread", "3x3 convolution", "| one, 1", "| two, 2", "The layer that takes most after convolutions: ",
			"| operation of two, batch 2 ", "1.00 / 1.00 / 1.00", "-->\nlast",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if strings.Contains(text, "old") {
			t.Error("the old section is still there")
		}
		if !strings.Contains(said.String(), "| images a step |") {
			t.Errorf("said %q, want the tables", said.String())
		}
		if first != "" && strings.Count(text, "\n") != strings.Count(first, "\n") {
			t.Errorf("a second run gives other lines:\n%s\nthan the first:\n%s", text, first)
		}
		first = text
	}
	checkSVG(t, filepath.Join(filepath.Dir(path), "cost", "batch.svg"), "FMA peak")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkSVG reports a file that is no small, well-formed SVG with a text in it.
func checkSVG(t *testing.T, path, want string) {
	t.Helper()
	text := read(t, path)
	if len(text) > 40_000 || !strings.Contains(text, want) || !strings.Contains(text, "<svg") {
		t.Errorf("%s: %d bytes, want a small SVG with %q", path, len(text), want)
	}
	for dec := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func TestRunStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cost.md")
	if err := os.WriteFile(path, []byte(emptyDocument), 0o644); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, only := range []string{"batch", "layers", "shapes"} {
		c := config{doc: path, only: only, options: shortly()}
		if err := run(stopped, c, tinySections(), io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want the context's", only, err)
		}
	}
	if read(t, path) != emptyDocument {
		t.Error("the document changed")
	}
	for _, c := range []config{{doc: path + ".none"}, {doc: path, only: "threads"}} {
		c.options = shortly()
		if err := run(t.Context(), c, tinySections(), io.Discard); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	bad := tinySections()
	bad = append(bad, section{"energy", machine})
	if err := run(t.Context(), config{doc: path, options: shortly()}, bad, io.Discard); err == nil || read(t, path) != emptyDocument {
		t.Errorf("a section without a place: error %v, or the document changed", err)
	}
}

// The document of the project has a place and a figure for every section.
func TestDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "performance.md")
	text := read(t, path)
	for _, name := range append(names(sections(false)), "peer") {
		if _, err := replaceSection(text, name, ""); err != nil {
			t.Error(err)
		}
	}
	for part := range strings.SplitSeq(text, "](performance/") {
		if file, _, ok := strings.Cut(part, ")"); ok && strings.HasSuffix(file, ".svg") {
			checkSVG(t, filepath.Join("..", "..", "docs", "performance", file), "ms an image")
		}
	}
}

// Every network of the document is valid, and every sweep varies something.
func TestSweeps(t *testing.T) {
	for _, s := range []sweep{byBatch(), byResolution(), byChannels(), byThreads(1), byThreads(2), byThreads(6), byRecompute()} {
		for i, p := range s.points {
			if err := errors.Join(p.config.Model.Validate(), p.config.Recompute.Check(p.config.Model.Network)); err != nil || p.config.Batch < 1 {
				t.Errorf("%s, %s: batch %d, %v", s.name, p.label, p.config.Batch, err)
			}
			if i > 0 && !(p.x > s.points[i-1].x) {
				t.Errorf("%s: %g after %g, want more", s.name, p.x, s.points[i-1].x)
			}
		}
	}
	var threads []int
	for _, p := range byThreads(6).points {
		threads = append(threads, p.threads)
	}
	if d := cmp.Diff([]int{1, 2, 4, 6}, threads); d != "" {
		t.Error(d)
	}
	if n := len(names(sections(true))); n != len(sections(false)) {
		t.Errorf("%d sections when quick, want all", n)
	}
}

func TestLayers(t *testing.T) {
	for kind, want := range map[string]string{
		"Conv2DData 3x3": "3x3 convolution", "Conv2DWeights 1x1": "1x1 convolution", "GNParam": "group norm with SiLU",
		"SiLUGrad": "group norm with SiLU", "AttnLSE": "attention", "Add": "sums and scales", "Adam and EMA": "Adam and EMA",
		"Conv2D 5x5": "Conv2D 5x5", "Whatever": "Whatever",
	} {
		if got := layerOf(kind); got != want {
			t.Errorf("%s is of %q, want %q", kind, got, want)
		}
	}
	row := func(name string, ms time.Duration) benchmark.Row {
		return benchmark.Row{Name: name, Time: ms * time.Millisecond}
	}
	got := layers([][]benchmark.Row{
		{row("Conv2D 3x3", 4), row("Conv2DData 3x3", 2), row("GNApply", 3), row("Attn", 1)},
		{row("Conv2D 3x3", 5), row("Attn", 15)},
	}, []benchmark.Row{row("total", 10), row("total", 20)})
	want := []layer{
		{"attention", []string{"Attn"}, []float64{0.1, 0.75}},
		{"3x3 convolution", []string{"Conv2D 3x3", "Conv2DData 3x3"}, []float64{0.6, 0.25}},
		{"group norm with SiLU", []string{"GNApply"}, []float64{0.3, 0}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(layer{}), cmp.Comparer(func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 })); d != "" {
		t.Error(d)
	}
	if text := largest(got, []profiled{{name: "one"}, {name: "two"}}); !strings.Contains(text, "attention, 75.0 % of a step of two") {
		t.Errorf("the largest: %q", text)
	}
}

// Every operation of the presets belongs to a layer that has a name.
func TestLayersAreNamed(t *testing.T) {
	rows, _, err := profiled{"tiny", tiny(1)}.profile(t.Context(), shortly(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Name != optimiser && layerOf(r.Name) == r.Name {
			t.Errorf("operation %s belongs to no layer", r.Name)
		}
	}
}

func TestReplaceSection(t *testing.T) {
	got, err := replaceSection("a\n<!-- measured: x -->\nold\n<!-- end: x -->\nb", "x", "new\n")
	if err != nil || got != "a\n<!-- measured: x -->\nnew\n<!-- end: x -->\nb" {
		t.Errorf("%q, error %v", got, err)
	}
	for _, text := range []string{
		"", "<!-- measured: x -->", "<!-- end: x -->", "<!-- end: x --><!-- measured: x -->",
		"<!-- measured: x --><!-- end: x --><!-- measured: x --><!-- end: x -->", "<!-- measured: y --><!-- end: y -->",
	} {
		if _, err := replaceSection(text, "x", ""); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      []string
	}{
		{0.9, 34, []string{"1", "2", "4", "8", "16", "32"}},
		{100, 1100, []string{"128", "256", "512", "1024"}},
		{0.09, 1.1, []string{"0.1", "0.2", "0.5", "1"}},
		{1, 1000, []string{"1", "2", "5", "10", "20", "50", "100", "200", "500", "1000"}},
		{0, 1, nil},
		{2, 2, nil},
	} {
		var got []string
		for _, tick := range (ticks{}).Ticks(c.low, c.high) {
			got = append(got, tick.Label)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%g to %g: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{0.1234: "0.123", 12.34: "12.3", 99.96: "100", 1234.5: "1234"} {
		if got := digits(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{"rest"}, {"-rounds", "0"}, {"-steps", "0"}, {"-length", "-1s"}, {"-only", "energy"}, {"-only", "batch,"}, {"-x"}} {
		var said bytes.Buffer
		if _, err := parse(args, &said); err == nil || said.Len() == 0 {
			t.Errorf("%q: error %v, message %q, want both", args, err, said.String())
		}
	}
	c, err := parse([]string{"-only", "threads,batch"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(sections(false), c.only)
	if d := cmp.Diff([]string{"threads", "batch"}, names(chosen)); err != nil || d != "" {
		t.Errorf("error %v, sections %s", err, d)
	}
}
