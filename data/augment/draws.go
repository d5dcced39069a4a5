package augment

import "edm/internal/rng"

// draws is all that is drawn for one image. Uniform draws are from [0, 1),
// normal ones are standard.
type draws struct {
	// gate decides, by a uniform draw, whether a transform is made.
	gate [numTransforms]float64

	xFlip, yFlip, lumaFlip bool
	quarterTurns           int
	translateInt           [2]float64 // uniform; x, y
	scale                  float64    // normal
	rotateFrac             float64    // uniform
	aniso                  float64    // normal
	anisoAngle             float64    // uniform
	anisoGate              float64    // uniform: whether there is an angle
	translateFrac          [2]float64 // normal; x, y
	brightness, contrast   float64    // normal
	hue                    float64    // uniform
	saturation             float64    // normal
}

// draw makes the draws of one image. All are made whatever the options, so a
// transform does the same to an image whichever others are in use. The stream's
// first block is left to the coin of data.Loader.
func draw(seed, image uint64) draws {
	r := rng.New(seed, rng.Augment, image)
	for range 4 {
		r.Uint32()
	}
	coin := func() bool { return r.Uint32()>>31 == 1 }
	var d draws
	d.xFlip, d.yFlip, d.lumaFlip = coin(), coin(), coin()
	d.quarterTurns = int(r.Uint32() >> 30)
	for t := range d.gate {
		d.gate[t] = r.Float64()
	}
	uniform := [...]*float64{&d.translateInt[0], &d.translateInt[1], &d.rotateFrac, &d.anisoAngle, &d.anisoGate, &d.hue}
	for _, v := range uniform {
		*v = r.Float64()
	}
	normal := [...]*float64{&d.scale, &d.aniso, &d.translateFrac[0], &d.translateFrac[1],
		&d.brightness, &d.contrast, &d.saturation}
	for _, v := range normal {
		*v = r.Normal()
	}
	return d
}
