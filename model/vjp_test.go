package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"edm/internal/rng"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// vjpProblem is a denoiser with weights away from their nearly-zero start, and
// images, labels and a cotangent.
type vjpProblem struct {
	m             *model.Model
	weights       []float32
	x, cotangent  []float64
	labels        []float32
	n, dim, class int
}

func newVJPProblem(t *testing.T, c model.Config, d *model.Device, n int) *vjpProblem {
	t.Helper()
	m := newModel(t, c, d)
	p := &vjpProblem{m: m, weights: make([]float32, m.Layout().Size), n: n, dim: m.Config().Dim(), class: c.Network.LabelDim}
	if err := m.Layout().Init(p.weights, 1); err != nil {
		t.Fatal(err)
	}
	for i, q := range m.Layout().Params {
		shift := make([]float32, q.Len)
		rng.FillNormal(shift, 4, rng.Init, uint64(i))
		for j := range shift {
			if !q.Frozen {
				q.View(p.weights)[j] += 0.05 * shift[j]
			}
		}
	}
	p.x, p.cotangent = make([]float64, n*p.dim), make([]float64, n*p.dim)
	rng.FillNormal(p.x, 1, rng.Latents, 0)
	rng.FillNormal(p.cotangent, 2, rng.Latents, 0)
	p.labels = make([]float32, n*p.class)
	for i := range n {
		p.labels[i*p.class+i%p.class] = 1
	}
	return p
}

func (p *vjpProblem) denoiser(t *testing.T, batch int) *model.Denoiser {
	t.Helper()
	d, err := p.m.Denoiser(p.weights, batch)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (p *vjpProblem) vjp(t *testing.T, d *model.Denoiser, sigma float64) (dst, grad []float64) {
	t.Helper()
	dst, grad = make([]float64, len(p.x)), make([]float64, len(p.x))
	if err := d.VJP(t.Context(), dst, grad, p.x, sigma, p.cotangent, p.labels); err != nil {
		t.Fatal(err)
	}
	return dst, grad
}

// vjpConfigs are the architectures, and the network of which D uses a half.
func vjpConfigs(t *testing.T) map[string]model.Config {
	t.Helper()
	all := map[string]model.Config{"iddpm": iddpm(t, nil)}
	for _, arch := range unet.ArchNames() {
		n, err := unet.ArchDefaults(arch)
		if err != nil {
			t.Fatal(err)
		}
		n.ImgResolution, n.InChannels, n.OutChannels, n.LabelDim = 8, 3, 3, 4
		n.ModelChannels, n.ChannelMult, n.NumBlocks, n.AttnResolutions, n.Dropout = 16, []int{1, 2}, 1, []int{4}, 0.2
		if arch == unet.ADM { // its heads have 64 channels
			n.ImgResolution, n.ModelChannels, n.ChannelMult = 4, 64, []int{1}
		}
		all[arch] = model.Config{Network: n, Precond: precond.DefaultEDM()}
	}
	return all
}

// J^T v along a random direction u is the change of v D along u, and D is that of
// Denoise.
func TestVJPByFiniteDifferences(t *testing.T) {
	for _, d := range devices(t) {
		for name, c := range vjpConfigs(t) {
			t.Run(d.Name()+"/"+name, func(t *testing.T) {
				p := newVJPProblem(t, c, d, 2)
				for _, sigma := range []float64{0.05, 0.5, 5} {
					p.compare(t, c.Precond.RoundSigma(sigma))
				}
			})
		}
	}
}

func (p *vjpProblem) compare(t *testing.T, sigma float64) {
	t.Helper()
	den := p.denoiser(t, p.n)
	u := make([]float64, len(p.x))
	rng.FillNormal(u, 3, rng.Latents, 0)
	denoise := func(f float64) []float64 {
		moved, out := slices.Clone(p.x), make([]float64, len(p.x))
		for i := range moved {
			moved[i] += f * u[i]
		}
		if err := den.Denoise(t.Context(), out, moved, sigma, p.labels); err != nil {
			t.Fatal(err)
		}
		return out
	}
	dst, grad := p.vjp(t, den, sigma)
	if !slices.Equal(dst, denoise(0)) {
		t.Errorf("sigma %g: D has other bits than Denoise gives", sigma)
	}
	// In the network's own units, which 1/c_in is.
	h := 2e-3 * math.Hypot(sigma, 0.5)
	got, want := dot(grad, u), (dot(denoise(h), p.cotangent)-dot(denoise(-h), p.cotangent))/(2*h)
	if tol := 2e-3 * math.Sqrt(dot(grad, grad)); !(math.Abs(got-want) <= tol) {
		t.Errorf("sigma %g: gradient %.6g along u, finite difference %.6g (tolerance %.2g)", sigma, got, want, tol)
	}
	t.Logf("sigma %g: error %.1e of the gradient's norm", sigma, math.Abs(got-want)/math.Sqrt(dot(grad, grad)))
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// With F = 0, D is c_skip x and its gradient c_skip v, exactly.
func TestVJPOfLinearDenoiser(t *testing.T) {
	for _, d := range devices(t) {
		m, w := zeroNetwork(t, little(), d)
		den, err := m.Denoiser(w, 2)
		if err != nil {
			t.Fatal(err)
		}
		p := &vjpProblem{m: m, weights: w, n: 2, dim: m.Config().Dim(), labels: nil}
		p.x, p.cotangent = make([]float64, 2*p.dim), make([]float64, 2*p.dim)
		for i := range p.x { // numbers that float32 holds
			p.x[i], p.cotangent[i] = float64(i%7)-3, float64(i%5)/4
		}
		const sigma = 0.5 // = sigma_data, so c_skip = 1/2
		dst, grad := p.vjp(t, den, sigma)
		for i := range dst {
			if dst[i] != p.x[i]/2 || grad[i] != p.cotangent[i]/2 {
				t.Fatalf("%s: element %d: D %g and gradient %g, want %g and %g", d.Name(), i, dst[i], grad[i], p.x[i]/2, p.cotangent[i]/2)
			}
		}
	}
}

func TestVJPIsIndependentOfTheBatch(t *testing.T) {
	p := newVJPProblem(t, little(), devices(t)[1], 5)
	var wantD, want []float64
	for _, batch := range []int{1, 2, 64} {
		dst, grad := p.vjp(t, p.denoiser(t, batch), 0.7)
		if want == nil {
			wantD, want = dst, grad
		}
		if !slices.Equal(grad, want) || !slices.Equal(dst, wantD) {
			t.Errorf("batches of %d give other bits", batch)
		}
	}
}

func TestVJPAllocatesNothingAfterTheFirstCall(t *testing.T) {
	p := newVJPProblem(t, little(), devices(t)[1], 1)
	den := p.denoiser(t, 1)
	dst, grad := p.vjp(t, den, 1)
	if got := testing.AllocsPerRun(2, func() {
		if err := den.VJP(t.Context(), dst, grad, p.x, 1, p.cotangent, p.labels); err != nil {
			t.Error(err)
		}
	}); got != 0 {
		t.Errorf("%g allocations a call, want none", got)
	}
}

func TestVJPFaults(t *testing.T) {
	p := newVJPProblem(t, little(), model.Portable(), 1)
	den := p.denoiser(t, 1)
	whole, short := make([]float64, p.dim), make([]float64, p.dim-1)
	for what, c := range map[string]struct {
		dst, grad, x, cotangent []float64
		labels                  []float32
	}{
		"a short D":         {short, whole, whole, whole, nil},
		"a short gradient":  {whole, short, whole, whole, nil},
		"a short image":     {short, short, short, short, nil},
		"a short cotangent": {whole, whole, whole, short, nil},
		"short labels":      {whole, whole, whole, whole, []float32{1}},
	} {
		err := den.VJP(t.Context(), c.dst, c.grad, c.x, 1, c.cotangent, c.labels)
		if err == nil || !strings.HasPrefix(err.Error(), "model: vjp: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}
