package picture

import (
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"slices"
)

// maxColours is the size of a palette in GIF and PNG files.
const maxColours = 256

// Paletted returns img with a palette of at most 256 colours. An image that has
// no more keeps them, as do grey ones; of others each pixel gets the mean of its
// box of the median cut (Heckbert 1982). Transparent parts become white.
func Paletted(img image.Image) *image.Paletted {
	b := img.Bounds()
	if grey, ok := img.(*image.Gray); ok {
		out := image.NewPaletted(b, greys())
		draw.Draw(out, b, grey, b.Min, draw.Src)
		return out
	}
	rgb := image.NewRGBA(b)
	draw.Draw(rgb, b, image.White, image.Point{}, draw.Src)
	draw.Draw(rgb, b, img, b.Min, draw.Over)
	palette, index := medianCut(histogram(rgb))
	out := image.NewPaletted(b, palette)
	for i := range out.Pix {
		out.Pix[i] = index[packed(rgb.Pix[4*i:])]
	}
	return out
}

func greys() color.Palette {
	p := make(color.Palette, maxColours)
	for v := range p {
		p[v] = color.Gray{uint8(v)}
	}
	return p
}

// tone is a colour with the number of its pixels.
type tone struct {
	rgb   [3]uint8
	count int
}

func packed(pix []uint8) [3]uint8 { return [3]uint8{pix[0], pix[1], pix[2]} }

// histogram returns the colours of an opaque image, sorted.
func histogram(img *image.RGBA) []tone {
	counts := map[[3]uint8]int{}
	for i := 0; i < len(img.Pix); i += 4 {
		counts[packed(img.Pix[i:])]++
	}
	tones := make([]tone, 0, len(counts))
	for rgb, n := range counts {
		tones = append(tones, tone{rgb, n})
	}
	slices.SortFunc(tones, func(a, b tone) int { return slices.Compare(a.rgb[:], b.rgb[:]) })
	return tones
}

// box is a set of tones with its widest channel.
type box struct {
	tones   []tone
	channel int
	weight  int // its width, times its pixels: the greatest is split first
}

func newBox(tones []tone) box {
	b := box{tones: tones}
	pixels, widest := 0, 0
	for c := range 3 {
		low, high := uint8(255), uint8(0)
		for _, t := range tones {
			low, high = min(low, t.rgb[c]), max(high, t.rgb[c])
		}
		if w := int(high) - int(low); w > widest {
			b.channel, widest = c, w
		}
	}
	for _, t := range tones {
		pixels += t.count
	}
	b.weight = widest * pixels
	return b
}

// split divides a box of several tones where half of its pixels are on each
// side.
func (b box) split() (low, high box) {
	slices.SortStableFunc(b.tones, func(x, y tone) int { return cmp.Compare(x.rgb[b.channel], y.rgb[b.channel]) })
	total := 0
	for _, t := range b.tones {
		total += t.count
	}
	at, sum := 1, b.tones[0].count
	for at < len(b.tones)-1 && 2*sum < total {
		sum += b.tones[at].count
		at++
	}
	return newBox(b.tones[:at]), newBox(b.tones[at:])
}

// mean returns the average colour of a box.
func (b box) mean() color.Color {
	var sum [3]int
	n := 0
	for _, t := range b.tones {
		n += t.count
		for c, v := range t.rgb {
			sum[c] += int(v) * t.count
		}
	}
	round := func(v int) uint8 { return uint8((v + n/2) / n) }
	return color.RGBA{round(sum[0]), round(sum[1]), round(sum[2]), 255}
}

// medianCut returns a palette for tones, and the index of each tone's colour in
// it.
func medianCut(tones []tone) (color.Palette, map[[3]uint8]uint8) {
	boxes := []box{newBox(tones)}
	for len(boxes) < maxColours {
		widest := 0
		for i, b := range boxes {
			if b.weight > boxes[widest].weight {
				widest = i
			}
		}
		if len(boxes[widest].tones) < 2 {
			break
		}
		low, high := boxes[widest].split()
		boxes[widest] = low
		boxes = append(boxes, high)
	}
	palette := make(color.Palette, len(boxes))
	index := make(map[[3]uint8]uint8, len(tones))
	for i, b := range boxes {
		palette[i] = b.mean()
		for _, t := range b.tones {
			index[t.rgb] = uint8(i)
		}
	}
	return palette, index
}
