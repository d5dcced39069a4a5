package augment

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/testkit/reference"
)

// recorded hands out the draws of a reference file in the order in which they
// were made.
type recorded struct {
	t    *testing.T
	file *safetensors.File
	n    int // images
	next int
}

// take returns the next draw: parts values for each image, [parts][n].
func (r *recorded) take(kind string, parts int) [][]float64 {
	r.t.Helper()
	name := fmt.Sprintf("draw.%02d.%s", r.next, kind)
	r.next++
	var values []float64
	if kind == "randint" {
		whole, err := r.file.Tensors[name].Int64s()
		if err != nil {
			r.t.Fatalf("%s: %v", name, err)
		}
		for _, v := range whole {
			values = append(values, float64(v))
		}
	} else {
		values = reference.Values(r.t, r.file, name)
	}
	if len(values) != parts*r.n {
		r.t.Fatalf("%s has %d values, want %d", name, len(values), parts*r.n)
	}
	out := make([][]float64, parts)
	for k := range out {
		out[k] = values[k*r.n:][:r.n]
	}
	return out
}

// each calls set with every image's value of the next draw.
func (r *recorded) each(kind string, set func(i int, v float64)) {
	r.t.Helper()
	for i, v := range r.take(kind, 1)[0] {
		set(i, v)
	}
}

// draws reads what the reference drew for the transforms in use.
func (r *recorded) draws(p *Pipe) []draws {
	d := make([]draws, r.n)
	pair := func(kind string, to func(*draws) *[2]float64) {
		for k, values := range r.take(kind, 2) {
			for i, v := range values {
				to(&d[i])[k] = v
			}
		}
	}
	values := [numTransforms]func(){
		xFlip:         func() { r.each("randint", func(i int, v float64) { d[i].xFlip = v == 1 }) },
		yFlip:         func() { r.each("randint", func(i int, v float64) { d[i].yFlip = v == 1 }) },
		rotateInt:     func() { r.each("randint", func(i int, v float64) { d[i].quarterTurns = int(v) }) },
		translateInt:  func() { pair("rand", func(d *draws) *[2]float64 { return &d.translateInt }) },
		scale:         func() { r.each("randn", func(i int, v float64) { d[i].scale = v }) },
		rotateFrac:    func() { r.each("rand", func(i int, v float64) { d[i].rotateFrac = v }) },
		translateFrac: func() { pair("randn", func(d *draws) *[2]float64 { return &d.translateFrac }) },
		brightness:    func() { r.each("randn", func(i int, v float64) { d[i].brightness = v }) },
		contrast:      func() { r.each("randn", func(i int, v float64) { d[i].contrast = v }) },
		lumaFlip:      func() { r.each("randint", func(i int, v float64) { d[i].lumaFlip = v == 1 }) },
		hue:           func() { r.each("rand", func(i int, v float64) { d[i].hue = v }) },
		saturation:    func() { r.each("randn", func(i int, v float64) { d[i].saturation = v }) },
		aniso: func() {
			r.each("randn", func(i int, v float64) { d[i].aniso = v })
			r.each("rand", func(i int, v float64) { d[i].anisoAngle = v })
		},
	}
	for k, read := range values {
		if !p.uses[k] {
			continue
		}
		read()
		r.each("rand", func(i int, v float64) { d[i].gate[k] = v })
		if transform(k) == aniso {
			r.each("rand", func(i int, v float64) { d[i].anisoGate = v })
		}
	}
	return d
}

// options reads a file's options: the published names are those of the fields
// in lower case, with words joined by underscores.
func options(t *testing.T, f *safetensors.File) Options {
	t.Helper()
	var o Options
	text := strings.ReplaceAll(f.Metadata["options"], "_", "")
	r := json.NewDecoder(strings.NewReader(text))
	r.DisallowUnknownFields()
	if err := r.Decode(&o); err != nil {
		t.Fatalf("options %s: %v", f.Metadata["options"], err)
	}
	return o
}

func TestReferencePipe(t *testing.T) {
	reference.Each(t, "augment/*.safetensors", func(t *testing.T, f *safetensors.File) {
		shape := f.Tensors["in.images"].Shape
		n, size := shape[0], shape[1]*shape[2]*shape[3]
		p, err := New(options(t, f), shape[1], shape[2])
		if err != nil {
			t.Fatal(err)
		}
		r := &recorded{t: t, file: f, n: n}
		all := r.draws(p)
		if name := fmt.Sprintf("draw.%02d.", r.next); hasPrefix(f, name) {
			t.Fatalf("%s... was not used", name)
		}
		images := reference.Values32(t, f, "in.images")
		want, wantLabels := reference.Values(t, f, "out.images"), reference.Values(t, f, "out.labels")
		labels := make([]float32, p.Labels())
		known := batchMargins(p, all)
		for i := range n {
			pl := p.plan(&all[i], labels)
			if e := largest(labels, wantLabels[i*p.Labels():]); e > 1e-6 {
				t.Errorf("labels of image %d differ by up to %.1e", i, e)
			}
			alone, img := slices.Clone(images[i*size:][:size]), images[i*size:][:size]
			p.execute(&pl, alone)
			p.executeIn(newScratch(p.resolution), &pl, img, known)
			e := largest(img, want[i*size:])
			t.Logf("image %d differs by up to %.1e, %.1e if continued further", i, e, largest(alone, want[i*size:]))
			if e > 5e-5 {
				t.Errorf("image %d differs by up to %.1e", i, e)
			}
		}
	})
}

// batchMargins returns how far the reference continues a batch of images: to
// where the corners of any are mapped and six pixels more, which the tails of
// the lowpass can exceed in the corners of an image made much smaller.
func batchMargins(p *Pipe, all []draws) [2]window {
	centre := float64(p.resolution-1) / 2
	most := float64(p.resolution - 1)
	var before, after [2]float64
	for i := range all {
		pl := p.plan(&all[i], make([]float32, p.labels))
		for _, c := range [4][2]float64{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}} {
			x, y := pl.warp.at(c[0]*centre, c[1]*centre)
			for axis, v := range [2]float64{x, y} {
				before[axis] = min(max(before[axis], -v-centre+2*reach), most)
				after[axis] = min(max(after[axis], v-centre+2*reach), most)
			}
		}
	}
	var known [2]window
	for axis := range known {
		known[axis] = window{-int(math.Ceil(before[axis])), p.resolution + int(math.Ceil(after[axis]))}
	}
	return known
}

func hasPrefix(f *safetensors.File, prefix string) bool {
	for name := range f.Tensors {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// largest returns the largest difference.
func largest(got []float32, want []float64) float64 {
	e := 0.0
	for i, v := range got {
		e = max(e, math.Abs(float64(v)-want[i]))
	}
	return e
}
