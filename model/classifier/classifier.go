package classifier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"edm/internal/rng"
	"edm/model"
)

// maxBatch is the most images that one run of a program takes.
const maxBatch = 64

// Classifier is a trained network. It has the methods of a classifier for
// guidance (edm/sample/guide), and is for one goroutine at a time.
type Classifier struct {
	config   Config
	device   *model.Device
	layout   model.Layout
	weights  []float32
	programs map[key]*program // compiled at first use
}

// key names a program of a Classifier.
type key struct {
	n    int
	what purpose
}

// newClassifier returns a classifier with the initial weights of a seed.
func newClassifier(c Config, d *model.Device, seed uint64) (*Classifier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d == nil {
		return nil, errors.New("classifier: no device: open one with model.OpenCPU")
	}
	l, inits, err := newLayout(c)
	if err != nil {
		return nil, err
	}
	k := &Classifier{config: c, device: d, layout: l, weights: make([]float32, l.Size), programs: map[key]*program{}}
	for i, p := range l.Params {
		inits[i].Fill(p.View(k.weights), seed, uint64(i))
	}
	return k, nil
}

// Config returns the classifier's configuration.
func (c *Classifier) Config() Config { return c.config }

// Parameters returns the number of weights.
func (c *Classifier) Parameters() int { return c.layout.Count }

// Gradient writes the gradient of ln p(class | x; sigma) by x of each image to
// its row of dst, in float32's precision. x and dst are [N, C*H*W]; labels is
// [N, Classes], one-hot. An image's result does not depend on the others.
func (c *Classifier) Gradient(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	one := [1]float64{sigma}
	return c.gradient(ctx, dst, x, one[:], labels)
}

// GradientRows is Gradient with a noise level for each image: sigmas is [N].
func (c *Classifier) GradientRows(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	if n := len(x) / c.config.Dim(); len(sigmas) != n {
		return fmt.Errorf("classifier: gradient: %d noise levels for %d images", len(sigmas), n)
	}
	return c.gradient(ctx, dst, x, sigmas, labels)
}

func (c *Classifier) gradient(ctx context.Context, dst, x, sigmas []float64, labels []float32) error {
	dim, classes := c.config.Dim(), c.config.Classes
	if len(dst) != len(x) || len(labels)*dim != len(x)*classes {
		return fmt.Errorf("classifier: gradient: %d elements of gradient and %d label values for %d of images, want %d label values for every %d",
			len(dst), len(labels), len(x), classes, dim)
	}
	return c.each(ctx, x, sigmas, steer, func(p *program, at, n int) {
		copy(p.target, labels[at*classes:(at+n)*classes])
		for i := range p.cotangent {
			p.cotangent[i] = -1 // ln p is the cross-entropy's negative
		}
	}, func(p *program, at, _ int) {
		for j, v := range p.dx {
			dst[at*dim+j] = float64(v)
		}
	})
}

// LogProbabilities writes ln p(class | x; sigma) of every class to dst [N,
// Classes]; x is [N, C*H*W].
func (c *Classifier) LogProbabilities(ctx context.Context, dst, x []float64, sigma float64) error {
	dim, classes := c.config.Dim(), c.config.Classes
	if len(dst)*dim != len(x)*classes {
		return fmt.Errorf("classifier: %d log probabilities for %d elements of images, want %d for every %d", len(dst), len(x), classes, dim)
	}
	return c.each(ctx, x, []float64{sigma}, predict, func(*program, int, int) {}, func(p *program, at, n int) {
		for i := range n {
			logSoftmax(dst[(at+i)*classes:(at+i+1)*classes], p.logits[i*classes:(i+1)*classes])
		}
	})
}

// Accuracy returns the part of images, [N,C,H,W] in [-1, 1], whose labels the
// classifier finds when noise of level sigma is added to them. The noise of image
// i is that of (seed, i).
func (c *Classifier) Accuracy(ctx context.Context, images []float32, labels []int, sigma float64, seed uint64) (float64, error) {
	if err := checkSet(c.config, images, labels); err != nil {
		return 0, err
	}
	dim := c.config.Dim()
	x, p := make([]float64, len(images)), make([]float64, len(labels)*c.config.Classes)
	for i := range labels {
		row := x[i*dim : (i+1)*dim]
		rng.FillNormal(row, seed, rng.Validate, uint64(i))
		for j := range row {
			row[j] = float64(images[i*dim+j]) + sigma*row[j]
		}
	}
	if err := c.LogProbabilities(ctx, p, x, sigma); err != nil {
		return 0, err
	}
	right := 0
	for i, label := range labels {
		row := p[i*c.config.Classes : (i+1)*c.config.Classes]
		best := 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		if best == label {
			right++
		}
	}
	return float64(right) / float64(len(labels)), nil
}

// each runs programs over images: before sets the further inputs of images [at,
// at+n), after reads the outputs. sigmas holds a level for each image, or one for
// all.
func (c *Classifier) each(ctx context.Context, x, sigmas []float64, what purpose, before, after func(p *program, at, n int)) error {
	dim := c.config.Dim()
	if len(x)%dim != 0 {
		return fmt.Errorf("classifier: %d elements, want a multiple of %d", len(x), dim)
	}
	for _, sigma := range sigmas {
		if !(sigma > 0) || math.IsInf(sigma, 1) {
			return fmt.Errorf("classifier: sigma is %g, want a finite number above 0", sigma)
		}
	}
	for at, n := 0, 0; at < len(x)/dim; at += n {
		if err := ctx.Err(); err != nil {
			return err
		}
		n = part(len(x)/dim - at)
		p, err := c.program(n, what)
		if err != nil {
			return err
		}
		for i := range n {
			p.setSigma(i, sigmas[min(at+i, len(sigmas)-1)])
		}
		for j := range p.x {
			p.x[j] = float32(x[at*dim+j])
		}
		before(p, at, n)
		if err := p.RunAll(); err != nil {
			return err
		}
		after(p, at, n)
	}
	return nil
}

// part returns how many of n images to run next: a power of two. A program has
// memory of its own, and a sampler whose images finish one by one would
// otherwise ask for a program of every size.
func part(n int) int { return min(maxBatch, 1<<(bits.Len(uint(n))-1)) }

func (c *Classifier) program(n int, what purpose) (*program, error) {
	if p := c.programs[key{n, what}]; p != nil {
		return p, nil
	}
	p, err := newProgram(c.device, c.config, c.layout, c.weights, nil, n, what)
	if err == nil {
		c.programs[key{n, what}] = p
	}
	return p, err
}

// logSoftmax writes z - ln sum exp(z).
func logSoftmax(dst []float64, z []float32) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range z {
		top = max(top, float64(v))
	}
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	for k, v := range z {
		dst[k] = float64(v) - top - math.Log(sum)
	}
}
