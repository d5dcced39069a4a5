//go:build gpu

package cuda

import (
	"fmt"
	"regexp"
	"testing"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/internal/testkit/optest"
)

// convSizes are extents of convolutions: images, input and output channels,
// height and width. They cross the borders of tiles, groups of channels, strips,
// chunks and windows.
func convSizes() [][5]int {
	return [][5]int{
		{1, 1, 1, 1, 1}, {3, 3, 8, 1, 3}, {2, 8, 3, 5, 7}, {19, 2, 3, 1, 1}, {5, 16, 33, 4, 4},
		{2, 17, 65, 8, 8}, {3, 20, 20, 9, 18}, {1, 3, 129, 7, 16}, {1, 33, 4, 2, 68}, {2, 40, 36, 12, 32}, {1, 5, 3, 3, 131}, {1, 2, 2, 70, 1},
		{1, 130, 9, 28, 28}, {3, 9, 130, 7, 5}, {3, 1, 130, 7, 5},
	}
}

// eachTile calls f for a convolution with every tile that may compute it: the
// pixels of a forward product, the channels of one by weights. The parts of the
// latter are of different sizes.
func eachTile(k kernel, f func(name string)) {
	pixels := func(k *convProduct, p precision, shared func() int) {
		for _, k.tile = range convTiles(p) {
			if shared() <= maxShared {
				f(fmt.Sprintf("%dx%d", k.tile.channels, k.tile.pixels))
			}
		}
	}
	channels := func(k *weightsProduct, tiles ...[2]int) {
		for _, tile := range tiles {
			for _, k.share = range []int{1, 5} {
				k.bm, k.bc = tile[0], tile[1]
				f(fmt.Sprintf("%dx%d by %d", k.bm, k.bc, k.share))
			}
		}
	}
	switch k := k.(type) {
	case *conv:
		pixels(&k.convProduct, k.precision, k.shared)
	case *packedConv:
		pixels(&k.convProduct, bf16, k.shared)
	case *convWeights:
		tiles := [][2]int{{64, k.bc}, {128, k.bc}}
		if k.precision == fp32 {
			tiles = tiles[:1]
		}
		channels(&k.weightsProduct, tiles...)
	case *packedConvWeights:
		if k.kernel == 1 {
			channels(&k.weightsProduct, [2]int{64, 64}, [2]int{128, 128})
		} else {
			channels(&k.weightsProduct, [2]int{64, 32})
		}
	case *convHopper:
		for _, tile := range hopperTiles() {
			k.use(tile)
			f(fmt.Sprint(tile))
		}
	case *convHopperWeights:
		for _, k.tile = range hopperTiles() {
			for _, k.share = range []int{1, 3} {
				f(fmt.Sprintf("%v by %d", k.tile, k.share))
			}
		}
	}
}

func eachConv(t *testing.T, f func(q optest.Problem)) {
	for _, s := range convSizes() {
		for _, size := range []int{1, 3} {
			for _, q := range optest.ConvProblems(t, s[0], s[1], s[2], s[3], s[4], size, s[1]%2 == 0) {
				f(q)
			}
		}
	}
}

// TestConv: products of factors that a precision holds are exact but for the
// rounding of sums, with every tile.
func TestConv(t *testing.T) {
	b := newTable(t)
	everyTarget(t, b, func(t *testing.T, to target) {
		eachConv(t, func(q optest.Problem) {
			q = exactly(to.precision, q)
			k, want := prepared(t, to, q), q.Exact()
			eachTile(k, func(name string) {
				t.Run(describe(q)+name, func(t *testing.T) { optest.Near(t, b.compute(t, k, q, 0), want, summed(to.precision, q)) })
			})
		})
	})
}

// TestConvRounds: factors are rounded to nearest.
func TestConvRounds(t *testing.T) {
	b := newTable(t)
	everyTarget(t, b, func(t *testing.T, to target) {
		for _, size := range []int{1, 3} {
			for _, q := range optest.ConvProblems(t, 2, 20, 20, 7, 8, size, true) {
				got := b.compute(t, prepared(t, to, q), q, 0)
				optest.Near(t, got, q.Exact(), loosely(to.precision))
				optest.Near(t, got, exactly(to.precision, q).Exact(), max(summed(to.precision, q), loosely(to.precision)/20))
			}
		}
	})
}

// TestConvBits: a forward product has the same bits for an image alone, where
// nothing is aligned, over the residual, a second time, and with every tile; one
// by weights a second time and where nothing is aligned.
func TestConvBits(t *testing.T) {
	const batch = 3
	b := newTable(t)
	everyTarget(t, b, func(t *testing.T, to target) {
		for _, s := range [][4]int{{20, 36, 8, 12}, {8, 20, 5, 7}} {
			for _, size := range []int{1, 3} {
				for i, q := range optest.ConvProblems(t, batch, s[0], s[1], s[2], s[3], size, true) {
					k := prepared(t, to, q)
					want := b.compute(t, k, q, 0)
					optest.SameBits(t, describe(q)+" again", b.compute(t, k, q, 0), want)
					optest.SameBits(t, describe(q)+" not aligned", b.compute(t, k, q, 1), want)
					if i == 2 {
						continue
					}
					for n := range batch {
						one := q.One(t, n, batch)
						size := len(want) / batch
						optest.SameBits(t, describe(one)+" alone", b.compute(t, prepared(t, to, one), one, 0), want[n*size:(n+1)*size])
					}
					eachTile(k, func(name string) {
						optest.SameBits(t, describe(q)+name, b.compute(t, k, q, 0), want)
					})
				}
			}
		}
	})
}

// TestConvOverResidual: the residual may lie where the result goes.
func TestConvOverResidual(t *testing.T) {
	b := newTable(t)
	everyTarget(t, b, func(t *testing.T, to target) {
		for _, w := range []int{7, 8} {
			q := optest.ConvProblems(t, 2, 8, 20, 5, w, 3, true)[0]
			k := prepared(t, to, q)
			o := b.placed(t, k, q, 0)
			o.out = o.in[4]
			b.launchAll(t, k.launches(o))
			optest.SameBits(t, describe(q), b.read(t, o.out, q.Out.TotalSize()), b.compute(t, k, q, 0))
		}
	})
}

// TestConvPacked: inputs that come packed are read as they are, and give the bits
// of those that a kernel packs.
func TestConvPacked(t *testing.T) {
	b := newTable(t)
	for _, to := range b.targets() {
		if to.precision != bf16 {
			continue // nothing is packed
		}
		for _, size := range []int{1, 3} {
			for _, q := range optest.ConvProblems(t, 2, 20, 36, 5, 7, size, false) {
				k := prepared(t, to, q)
				want := b.compute(t, k, q, 0)
				o := b.placed(t, k, q, 0)
				o.packed = make([]pointer, len(o.in))
				for _, i := range k.(packer).packedInputs() {
					p := newPackedPixels(q.In[i])
					o.packed[i] = b.unwritten(t, p.elements(), 0)
					b.start(t, []launch{p.pack(o.packed[i], o.in[i])})
					o.in[i] = 0
				}
				b.launchAll(t, k.launches(o))
				optest.SameBits(t, fmt.Sprint(to, describe(q)), b.read(t, o.out, q.Out.TotalSize()), want)
			}
		}
	}
}

// TestConvPlans: every layer has a plan within the shared memory of all devices,
// whose kernels exist, and every kernel is of some plan.
func TestConvPlans(t *testing.T) {
	exported, used := regexp.MustCompile(`(?m)^EXPORT\((\w+)\)`), map[string]bool{}
	modules := map[string]map[string]head{}
	for _, module := range []string{"conv", "convpack", "conv_fp32", "conv_tf32", "conv_bf16", "convhopper"} {
		modules[module] = productHeads(t, module)
		for _, m := range exported.FindAllStringSubmatch(sourceText(t, module), -1) {
			used[m[1]] = false
		}
	}
	for _, to := range targets {
		for _, c := range planned() {
			k, err := newKernel(to, c)
			if err != nil {
				t.Fatalf("%v: %v", c, err)
			}
			for _, l := range k.launches(operands{in: make([]pointer, 5)}) {
				if _, ok := used[l.name]; !ok {
					t.Errorf("%v: no kernel %s", c, l.name)
				}
				used[l.name] = true
				h, ok := modules[l.module][l.name]
				checkArguments(t, h, ok, l)
			}
		}
	}
	for name, ok := range used {
		if !ok {
			t.Errorf("no plan has %s", name)
		}
	}
}

// planned returns calls over a wide range of shapes.
func planned() []engine.Call {
	var calls []engine.Call
	for _, n := range []int{1, 8, 512} {
		for _, c := range [][2]int{{3, 128}, {128, 3}, {64, 64}, {128, 256}, {192, 192}, {768, 384}} {
			for _, s := range [][2]int{{1, 1}, {1, 2}, {3, 1}, {4, 4}, {5, 3}, {8, 8}, {16, 16}, {32, 32}, {64, 64}, {33, 65}, {96, 127}, {7, 1000}} {
				for _, kernel := range []int{1, 3} {
					x, g := []int{n, c[0], s[0], s[1]}, []int{n, c[1], s[0], s[1]}
					w := []int{c[1], c[0], kernel, kernel}
					call := func(s op.Spec, out []int, in ...[]int) {
						k := engine.Call{Spec: s, Out: out}
						for _, i := range in {
							k.In = append(k.In, i)
						}
						calls = append(calls, k)
					}
					call(op.Conv2D{Kernel: kernel, Scale: 1}, g, x, w)
					call(op.Conv2DData{Kernel: kernel, Scale: 1}, x, g, w)
					call(op.Conv2DWeights{Kernel: kernel, Scale: 1}, w, x, g)
				}
			}
		}
	}
	return calls
}

// TestConvTooLarge: more images than 32-bit numbers reach are an error.
func TestConvTooLarge(t *testing.T) {
	shape := []int{1 << 20, 8, 64, 64}
	c := engine.Call{Spec: op.Conv2D{Kernel: 3, Scale: 1}, Out: shape}
	c.In = append(c.In, shape, []int{8, 8, 3, 3})
	if _, err := products(fp32, c); err == nil {
		t.Error("a convolution of 2^32 pixels was prepared")
	}
}
