package augment

import "math"

// The published strengths (Karras et al. 2020a, App. B).
const (
	translateIntMax  = 0.125 // of the size
	scaleStd         = 0.2   // octaves
	anisoStd         = 0.2   // octaves
	anisoRotateProb  = 0.5
	translateFracStd = 0.125 // of the size
	brightnessStd    = 0.2
	contrastStd      = 0.5 // octaves
	saturationStd    = 1   // octaves
)

// plan is the list of transformations of one image, in this order.
type plan struct {
	flipX, flipY bool
	quarterTurns int
	shift        [2]int // whole pixels to the right and up
	warp         affine // from output to input coordinates
	colour       colour
}

// plan turns draws into transformations of the image and writes its labels. The
// parameter of a transform that is not made is zero, and so are its labels.
func (p *Pipe) plan(d *draws, labels []float32) plan {
	pl := plan{warp: identity(), colour: unchanged()}
	labels = p.planPixels(&pl, d, labels[:0])
	labels = p.planWarp(&pl, d, labels)
	p.planColour(&pl, d, labels)
	return pl
}

// made reports whether a transform is made to the image.
func (p *Pipe) made(d *draws, t transform) bool { return d.gate[t] < p.chance[t] }

// gated returns v if the transform is made, else 0.
func (p *Pipe) gated(d *draws, t transform, v float64) float64 {
	if p.made(d, t) {
		return v
	}
	return 0
}

// planPixels plans the moves of whole pixels, and appends their labels.
func (p *Pipe) planPixels(pl *plan, d *draws, labels []float32) []float32 {
	if p.uses[xFlip] {
		pl.flipX = d.xFlip && p.made(d, xFlip)
		labels = append(labels, indicator(pl.flipX))
	}
	if p.uses[yFlip] {
		pl.flipY = d.yFlip && p.made(d, yFlip)
		labels = append(labels, indicator(pl.flipY))
	}
	if p.uses[rotateInt] {
		if p.made(d, rotateInt) {
			pl.quarterTurns = d.quarterTurns
		}
		n := pl.quarterTurns
		labels = append(labels, indicator(n == 1 || n == 2), indicator(n == 2 || n == 3))
	}
	if p.uses[translateInt] {
		most := float64(p.resolution) * translateIntMax
		for k, u := range d.translateInt {
			pl.shift[k] = int(math.RoundToEven(p.gated(d, translateInt, 2*u-1) * most))
			labels = append(labels, float32(float64(pl.shift[k])/most))
		}
	}
	return labels
}

// planWarp plans the resampling, and appends its labels. The map goes from the
// output to the input, so each factor is the inverse of the transform and the
// first transform is the first factor.
func (p *Pipe) planWarp(pl *plan, d *draws, labels []float32) []float32 {
	then := func(m affine) { pl.warp = pl.warp.times(m) }
	if p.uses[scale] {
		w := p.gated(d, scale, d.scale)
		s := math.Exp2(-w * scaleStd)
		then(scaling(s, s))
		labels = append(labels, float32(w))
	}
	if p.uses[rotateFrac] {
		w := p.gated(d, rotateFrac, angle(d.rotateFrac))
		then(rotation(w))
		labels = appendAngle(labels, w)
	}
	if p.uses[aniso] {
		w, r := p.gated(d, aniso, d.aniso), 0.0
		if w != 0 && d.anisoGate < anisoRotateProb {
			r = angle(d.anisoAngle)
		}
		s := math.Exp2(-w * anisoStd)
		then(rotation(-r).times(scaling(s, 1/s)).times(rotation(r)))
		labels = append(labels, float32(w*math.Cos(r)), float32(w*math.Sin(r)))
	}
	if p.uses[translateFrac] {
		x := p.gated(d, translateFrac, d.translateFrac[0])
		y := p.gated(d, translateFrac, d.translateFrac[1])
		step := float64(p.resolution) * translateFracStd
		then(translation(-x*step, -y*step))
		labels = append(labels, float32(x), float32(y))
	}
	return labels
}

// planColour plans the map of colours, and appends its labels.
func (p *Pipe) planColour(pl *plan, d *draws, labels []float32) []float32 {
	then := func(m colour) { pl.colour = m.times(pl.colour) }
	if p.uses[brightness] {
		w := p.gated(d, brightness, d.brightness)
		then(offset(w * brightnessStd))
		labels = append(labels, float32(w))
	}
	if p.uses[contrast] {
		w := p.gated(d, contrast, d.contrast)
		then(gain(math.Exp2(w * contrastStd)))
		labels = append(labels, float32(w))
	}
	if p.uses[lumaFlip] {
		flip := d.lumaFlip && p.made(d, lumaFlip)
		if flip {
			then(alongGrey(-1))
		}
		labels = append(labels, indicator(flip))
	}
	if p.uses[hue] {
		w := p.gated(d, hue, angle(d.hue))
		then(aboutGrey(w))
		labels = appendAngle(labels, w)
	}
	if p.uses[saturation] {
		w := p.gated(d, saturation, d.saturation)
		then(acrossGrey(math.Exp2(w * saturationStd)))
		labels = append(labels, float32(w))
	}
	return labels
}

// angle maps a uniform draw to [-pi, pi).
func angle(u float64) float64 { return (2*u - 1) * math.Pi }

func appendAngle(labels []float32, w float64) []float32 {
	return append(labels, float32(math.Cos(w)-1), float32(math.Sin(w)))
}

func indicator(b bool) float32 {
	if b {
		return 1
	}
	return 0
}
