//go:build gpu

package cuda

import (
	"math"

	"edm/internal/engine"
	"edm/internal/op"
)

// sumThreads are those of a block that adds the parts of a gradient by weights.
const sumThreads = 128

// hopperStart is the time that a block takes to begin and to end, in steps: an
// estimate.
const hopperStart = 8

// convHopperWeights is op.Conv2DWeights by the matrix products of Hopper's
// warpgroups: every block computes an output tile of one tap over some of the
// pixels into scratch memory, then the parts of each tile are added in order. The
// parts are a function of the shape alone.
type convHopperWeights struct {
	x, g  hopperImages
	taps  int
	scale float32
	tile  hopperTile
	box   hopperBox
	share int // boxes of a part
}

func newHopperConv2DWeights(s op.Conv2DWeights, c engine.Call) (kernel, error) {
	k := &convHopperWeights{
		x: newHopperImages(c.In[0], s.Kernel), g: newHopperImages(c.In[1], s.Kernel),
		taps: s.Kernel * s.Kernel, scale: float32(s.Scale),
	}
	k.box = k.x.box(hopperStep)
	k.choose()
	k.divide()
	if err := k.x.check(s); err != nil {
		return nil, err
	}
	return k, indexable(s, k.elements(), "partial sums")
}

// choose takes the tile of which all together bring least to shared memory.
func (k *convHopperWeights) choose() {
	best, least := hopperTile{}, math.MaxInt
	for _, k.tile = range hopperTiles() {
		if traffic := k.down() * k.across() * k.tile.traffic(); traffic < least {
			best, least = k.tile, traffic
		}
	}
	k.tile = best
}

// divide chooses the parts that are done first by an estimate.
func (k *convHopperWeights) divide() {
	boxes, atOnce := k.x.boxes(k.box), hopperMultiprocessors*k.tile.blocks()
	least := math.MaxInt
	for n := 1; n <= min(boxes, atOnce); n++ {
		share := parts(boxes, n)
		waves := parts(k.down()*k.across()*k.taps*parts(boxes, share), atOnce)
		if time := waves * (share + hopperStart); time < least {
			least, k.share = time, share
		}
	}
}

func (k *convHopperWeights) width() int  { return k.g.packed.channels }
func (k *convHopperWeights) depth() int  { return k.x.packed.channels }
func (k *convHopperWeights) down() int   { return parts(k.width(), k.tile.rows) }
func (k *convHopperWeights) across() int { return parts(k.depth(), k.tile.columns) }
func (k *convHopperWeights) parts() int  { return parts(k.x.boxes(k.box), k.share) }

// blocks returns how many blocks compute parts.
func (k *convHopperWeights) blocks() int { return k.down() * k.across() * k.taps * k.parts() }

// elements returns the sums of all parts.
func (k *convHopperWeights) elements() int { return k.blocks() * k.tile.rows * k.tile.columns }

func (k *convHopperWeights) workspace() int {
	return k.elements() + k.x.packed.elements() + k.g.packed.elements()
}

func (k *convHopperWeights) packedInputs() []int { return []int{0, 1} }

func (k *convHopperWeights) packedWorkspace() int { return k.elements() }

func (k *convHopperWeights) launches(o operands) []launch {
	partial := o.work
	to := partial.plus(k.elements()) // whole tiles: aligned
	x, all := o.pack(0, k.x.packed, to)
	g, more := o.pack(1, k.g.packed, to.plus(k.x.packed.elements()))
	return append(append(all, more...), k.weigh(partial, x, g), k.sum(o.out, partial))
}

var _, _ packer = (*convHopper)(nil), (*convHopperWeights)(nil)

func (k *convHopperWeights) weigh(partial, x, g pointer) launch {
	s, box := k.x, k.box
	return launch{
		module: "convhopper", name: "convhopper_weights_" + k.tile.String(),
		grid: [3]int{k.blocks(), 1, 1}, block: [3]int{hopperThreads, 1, 1}, shared: k.tile.shared(),
		args: []any{
			partial, k.g.tensorMap(g, box), k.x.tensorMap(x, box), int32(k.down()), int32(k.across()), int32(k.taps),
			int32(s.columns), int32(s.rows), int32(s.count), int32(box.columns), int32(box.rows), int32(box.images),
			int32(s.boxes(box)), int32(k.share),
		},
	}
}

func (k *convHopperWeights) sum(out, partial pointer) launch {
	elements := k.width() * k.depth() * k.taps
	return launch{
		module: "convhopper", name: "convhopper_sum",
		grid: [3]int{parts(elements, sumThreads), 1, 1}, block: [3]int{sumThreads, 1, 1},
		args: []any{
			out, partial, int32(k.width()), int32(k.depth()), int32(k.taps),
			int32(k.down() * k.tile.rows), int32(k.across() * k.tile.columns), int32(k.parts()), k.scale,
		},
	}
}
