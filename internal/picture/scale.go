package picture

import (
	"image"
	"image/draw"
)

// Enlarge returns img with every pixel a square of factor pixels, grey pictures
// as grey.
func Enlarge(img image.Image, factor int) image.Image {
	if factor < 2 {
		return img
	}
	b := img.Bounds()
	out := canvas(img.ColorModel(), image.Rect(0, 0, b.Dx()*factor, b.Dy()*factor))
	for y := range b.Dy() {
		for x := range b.Dx() {
			square := image.Rect(x*factor, y*factor, (x+1)*factor, (y+1)*factor)
			draw.Draw(out, square, image.NewUniform(img.At(b.Min.X+x, b.Min.Y+y)), image.Point{}, draw.Src)
		}
	}
	return out
}
