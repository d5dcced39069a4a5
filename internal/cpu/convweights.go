package cpu

// Sizes that the blocking of the gradient by weights aims at.
const (
	blockPixels = 256       // pixels that a sum takes at a time: a tile's B in L1
	waveFloats  = 256 << 10 // packed input and gradient at a time
)

// convWeights computes the gradient of a convolution by its weights,
//
//	dw[co][ci][tap] = sum over images and pixels of g[co][p] * x[ci][p+tap],
//
// as a matrix product whose sum goes over pixels. Blocks of pixels (a few rows,
// or a few small images) are packed: g in panels of output channels, x with a
// border of zeros and the channels last, in groups of one vector. For a 3x3
// kernel the three taps of a row are then adjacent, and one tile is (a panel of
// output channels) x (3 taps of one group). Blocks are packed in waves that fit
// the workspace; the sums of the blocks are added in their order.
type convWeights struct {
	n, cin, cout, h, w, kernel int
	scale                      float32

	b      *Backend
	k      *kernels
	images int // in a block
	rows   int // of each image in a block
	strips int // blocks to an image, if images is 1
	blocks int
	wave   int // blocks packed at a time
	group  int // input channels in a group
	groups int
	part   int // panels in a chunk's part of the output channels
	parts  int
	border int // elements of one bordered image of a group
	off    []int32

	x, g, dw    []float32
	xPacked     []float32 // [wave][groups][images][rows+halo][w+halo][group]
	gPacked     []float32 // [wave][panels][images][rows][w][k.rows]
	sums        []float32 // [groups][kernel][cout, padded][tile]
	edge        []float32
	first       int // block of the wave
	count       int
	packXJob    func(chunk, worker int)
	packGJob    func(chunk, worker int)
	multiplyJob func(chunk, worker int)
}

func newConvWeights(b *Backend, n, cin, cout, h, w, kernel int, scale float32) *convWeights {
	c := &convWeights{n: n, cin: cin, cout: cout, h: h, w: w, kernel: kernel, scale: scale, b: b, k: b.k}
	c.images, c.rows, c.strips = 1, min(max(blockPixels/w, 1), h), 1
	if c.rows == h {
		c.images = min(max(blockPixels/(h*w), 1), n)
	} else {
		c.strips = ceilDiv(h, c.rows)
		c.rows = ceilDiv(h, c.strips)
		c.strips = ceilDiv(h, c.rows)
	}
	c.blocks = ceilDiv(n, c.images) * c.strips
	c.group = c.k.lanes
	c.groups = ceilDiv(cin, c.group)
	c.border = (c.rows + kernel - 1) * (w + kernel - 1) * c.group
	c.wave = min(max(waveFloats/(c.xBlock()+c.gBlock()), 1), c.blocks)
	c.part = max(ceilDiv(c.panels(), ceilDiv(fewChunks, c.groups)), min(2, c.panels()))
	c.parts = ceilDiv(c.panels(), c.part)
	for i := range c.images {
		for y := range c.rows {
			for x := range w {
				c.off = append(c.off, int32(i*c.border+(y*(w+kernel-1)+x)*c.group))
			}
		}
	}
	c.packXJob, c.packGJob, c.multiplyJob = c.packX, c.packG, c.multiply
	return c
}

func (c *convWeights) panels() int { return ceilDiv(c.cout, c.k.rows) }
func (c *convWeights) xBlock() int { return c.groups * c.images * c.border }
func (c *convWeights) gBlock() int { return c.panels() * c.panelLen() }

// panelLen returns the elements of a packed panel of one block.
func (c *convWeights) panelLen() int { return c.images * c.rows * c.w * c.k.rows }

// tile returns the columns of a tile, sumsLen the elements of one group's sums.
func (c *convWeights) tile() int    { return c.kernel * c.group }
func (c *convWeights) sumsLen() int { return c.kernel * c.panels() * c.k.rows * c.tile() }

// workspace returns the elements of scratch memory that run wants.
func (c *convWeights) workspace() int {
	return workspace(1, []int{c.wave * c.xBlock(), c.wave * c.gBlock(), c.groups * c.sumsLen(), maxTile}, nil)
}

func (c *convWeights) run(dw, x, g, work []float32) {
	c.dw, c.x, c.g = dw, x, g
	m := carve(work)
	c.xPacked = m.take(c.wave * c.xBlock())
	c.gPacked = m.take(c.wave * c.gBlock())
	c.sums = m.take(c.groups * c.sumsLen())
	c.edge = m.take(maxTile)
	for c.first = 0; c.first < c.blocks; c.first += c.wave {
		c.count = min(c.wave, c.blocks-c.first)
		c.b.pool.Parallel(c.count*c.groups, c.packXJob)
		c.b.pool.Parallel(c.count*c.panels(), c.packGJob)
		c.b.pool.Parallel(c.groups*c.parts, c.multiplyJob)
	}
}

// extent returns the images [n0,n1) and rows [y0,y1) of a block.
func (c *convWeights) extent(block int) (n0, n1, y0, y1 int) {
	n0, y0 = block/c.strips*c.images, block%c.strips*c.rows
	return n0, min(n0+c.images, c.n), y0, min(y0+c.rows, c.h)
}

// packX packs one group of input channels of one block.
func (c *convWeights) packX(chunk, _ int) {
	block, group := chunk/c.groups, chunk%c.groups
	n0, n1, y0, y1 := c.extent(c.first + block)
	ch := group * c.group
	valid := min(c.group, c.cin-ch)
	pad := c.kernel / 2
	wide := (c.w + 2*pad) * c.group
	for n := n0; n < n1; n++ {
		dst := c.xPacked[((block*c.groups+group)*c.images+n-n0)*c.border:][:c.border]
		src := c.x[(n*c.cin+ch)*c.h*c.w:]
		for y := y0 - pad; y < y1+pad; y++ {
			row := dst[(y-y0+pad)*wide : (y-y0+pad+1)*wide]
			if y < 0 || y >= c.h {
				clear(row)
				continue
			}
			clear(row[:pad*c.group])
			clear(row[(c.w+pad)*c.group:])
			c.k.interleave(row[pad*c.group:], src[y*c.w:], valid, c.group, c.h*c.w, c.w, c.group)
		}
	}
}

// packG packs one panel of output channels of one block.
func (c *convWeights) packG(chunk, _ int) {
	block, panel := chunk/c.panels(), chunk%c.panels()
	n0, n1, y0, y1 := c.extent(c.first + block)
	rows, co := c.k.rows, panel*c.k.rows
	valid, size := min(rows, c.cout-co), (y1-y0)*c.w
	dst := c.gPacked[chunk*c.panelLen():]
	for n := n0; n < n1; n++ {
		src := c.g[(n*c.cout+co)*c.h*c.w+y0*c.w:]
		c.k.interleave(dst[(n-n0)*size*rows:], src, valid, rows, c.h*c.w, size, rows)
	}
}

// multiply adds the wave's blocks to the sums of one group and one part of the
// output channels, and after the last wave writes the gradient.
func (c *convWeights) multiply(chunk, _ int) {
	group, part := chunk/c.parts, chunk%c.parts
	rows, tile := c.k.rows, c.tile()
	from := part * c.part
	count := min(c.part, c.panels()-from)
	sums := c.sums[group*c.sumsLen():]
	gemm := c.k.gemm[tile/c.k.lanes]
	for block := range c.count {
		n0, n1, y0, y1 := c.extent(c.first + block)
		off := c.off[:(n1-n0)*(y1-y0)*c.w]
		accumulate := min(c.first+block, 1)
		a := c.gPacked[(block*c.panels()+from)*c.panelLen():]
		b := c.xPacked[(block*c.groups+group)*c.images*c.border:]
		for ky := range c.kernel {
			at := (ky*c.panels() + from) * rows * tile
			gemm(a, b[ky*(c.w+c.kernel-1)*c.group:], off, sums[at:], tile, count, c.panelLen(), accumulate)
		}
	}
	if c.first+c.count == c.blocks {
		c.write(group, from*rows, min((from+count)*rows, c.cout))
	}
}

// write moves the sums of output channels [from,to) of one group to [cout][cin]
// [ky][kx].
func (c *convWeights) write(group, from, to int) {
	taps, ch := c.kernel*c.kernel, group*c.group
	valid := min(c.group, c.cin-ch)
	for ky := range c.kernel {
		for co := from; co < to; co++ {
			sums := c.sums[group*c.sumsLen()+(ky*c.panels()*c.k.rows+co)*c.tile():]
			dst := c.dw[(co*c.cin+ch)*taps+ky*c.kernel:]
			for kx := range c.kernel {
				for i, v := range sums[kx*c.group : kx*c.group+valid] {
					dst[i*taps+kx] = v * c.scale
				}
			}
		}
	}
}
