// Package augment is the non-leaking augmentation of EDM App. F.2: random
// geometric and colour transforms of a training image, together with labels
// that tell the network which were made. The network learns p(image | labels),
// so sampling with labels of zero gives images as they are in the dataset.
//
// The transforms are those of StyleGAN2-ADA (Karras et al. 2020a, App. B).
// Everything drawn is a function of (seed, image number).
package augment

import (
	"errors"
	"fmt"
	"math"
)

// Options says which transforms are made and how often. A transform is made
// with probability P times its multiplier, or always if that is 1 or more. A
// multiplier of 0 leaves a transform out, labels included.
type Options struct {
	P float64 // 0 to 1

	XFlip         float64 // mirror left to right, by coin
	YFlip         float64 // mirror top to bottom, by coin
	RotateInt     float64 // 0 to 3 quarter turns
	TranslateInt  float64 // whole pixels, up to an eighth of the size
	Scale         float64 // isotropic, log2 normal, standard deviation 0.2
	RotateFrac    float64 // any angle
	Aniso         float64 // stretch along an axis, any or a main one
	TranslateFrac float64 // normal, standard deviation an eighth of the size

	Brightness float64 // an offset, standard deviation 0.2
	Contrast   float64 // a factor, log2 normal, standard deviation 0.5
	LumaFlip   float64 // mirror the lightness, by coin
	Hue        float64 // rotation about the grey axis; 3 channels only
	Saturation float64 // a factor, log2 normal; 3 channels only
}

// Published returns the options of the paper's training runs (EDM App. F.2):
// a horizontal flip by coin whatever p is above 0, and a vertical flip, a scaling,
// a rotation, a stretch and a translation each with probability p. With p = 0
// nothing is done at all. They have 9
// labels. The paper uses p = 0.12 for CIFAR-10 and 0.15 for FFHQ and AFHQv2.
func Published(p float64) Options {
	return Options{P: p, XFlip: 1e8, YFlip: 1, Scale: 1, RotateFrac: 1, Aniso: 1, TranslateFrac: 1}
}

// Validate reports every field out of range.
func (o Options) Validate() error {
	var errs []error
	if !(o.P >= 0 && o.P <= 1) {
		errs = append(errs, fmt.Errorf("option P %v, want a probability from 0 to 1", o.P))
	}
	for t, m := range o.multipliers() {
		if !(m >= 0) || math.IsInf(m, 0) {
			errs = append(errs, fmt.Errorf("option %v %v, want a finite multiplier of 0 (never) or more", transform(t), m))
		}
	}
	return errors.Join(errs...)
}

// transform numbers the transforms in the order of their labels. The meaning of a
// trained network's labels depends on the order.
type transform int

const (
	xFlip transform = iota
	yFlip
	rotateInt
	translateInt
	scale
	rotateFrac
	aniso
	translateFrac
	brightness
	contrast
	lumaFlip
	hue
	saturation
	numTransforms
)

// String returns the name of the transform's option.
func (t transform) String() string {
	return [numTransforms]string{
		"XFlip", "YFlip", "RotateInt", "TranslateInt",
		"Scale", "RotateFrac", "Aniso", "TranslateFrac",
		"Brightness", "Contrast", "LumaFlip", "Hue", "Saturation",
	}[t]
}

// labels returns how many labels the transform has. An angle has two, so that
// they are continuous in it: cos - 1 and sin.
func (t transform) labels() int {
	switch t {
	case rotateInt, translateInt, rotateFrac, aniso, translateFrac, hue:
		return 2
	}
	return 1
}

func (o Options) multipliers() [numTransforms]float64 {
	return [numTransforms]float64{
		o.XFlip, o.YFlip, o.RotateInt, o.TranslateInt,
		o.Scale, o.RotateFrac, o.Aniso, o.TranslateFrac,
		o.Brightness, o.Contrast, o.LumaFlip, o.Hue, o.Saturation,
	}
}
