package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

// codec reads one image file format.
type codec struct {
	name   string
	header func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// imageKind returns the codec of a file that starts with head.
func imageKind(head []byte) (codec, bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return codec{"PNG", png.DecodeConfig, png.Decode}, true
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return codec{"JPEG", jpeg.DecodeConfig, jpeg.Decode}, true
	}
	return codec{}, false
}

// header is the information in the first bytes of an image file.
type header struct {
	width, height int
	grey          bool
	mayBeClear    bool // has an alpha channel or a palette
}

func (h header) channels() int {
	if h.grey {
		return 1
	}
	return 3
}

func (h header) String() string {
	kind := "colour"
	if h.grey {
		kind = "greyscale"
	}
	return fmt.Sprintf("%dx%d %s", h.width, h.height, kind)
}

// sniff returns the codec for r and a reader that starts where r did.
func sniff(r io.Reader) (codec, io.Reader, error) {
	head := make([]byte, 16)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return codec{}, nil, err
	}
	c, ok := imageKind(head[:n])
	if !ok {
		return codec{}, nil, errors.New("neither PNG nor JPEG, whatever its name says")
	}
	return c, io.MultiReader(bytes.NewReader(head[:n]), r), nil
}

// readHeader checks, before any pixel is decoded, that r holds an image that
// can be used.
func readHeader(r io.Reader) (header, error) {
	c, r, err := sniff(r)
	if err != nil {
		return header{}, err
	}
	config, err := c.header(r)
	if err != nil {
		return header{}, fmt.Errorf("truncated or damaged %s file: %w", c.name, whole(err))
	}
	h := header{width: config.Width, height: config.Height}
	if h.width < 1 || h.height < 1 || int64(h.width)*int64(h.height) > maxPixels {
		return header{}, fmt.Errorf("%dx%d pixels: expected 1 to %d in all", h.width, h.height, maxPixels)
	}
	switch config.ColorModel {
	case color.GrayModel:
		h.grey = true
	case color.RGBAModel, color.YCbCrModel:
	case color.NRGBAModel:
		h.mayBeClear = true
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		return header{}, errors.New("16 bits a channel: expected 8; convert the image")
	case color.CMYKModel:
		return header{}, errors.New("CMYK image: expected RGB or greyscale; convert the image")
	default:
		if _, ok := config.ColorModel.(color.Palette); !ok {
			return header{}, errors.New("unsupported colour model: expected RGB or greyscale with 8 bits a channel")
		}
		h.mayBeClear = true
	}
	return h, nil
}

// decodeImage decodes a file that readHeader accepted as h. resolution is that
// of Options. The result is RGB with alpha 255, greyscale too.
func decodeImage(file []byte, h header, resolution int) (*image.RGBA, error) {
	c, r, err := sniff(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	again, err := readHeader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	if again != h {
		return nil, fmt.Errorf("the file has changed: it is %v and was %v", again, h)
	}
	img, err := c.decode(r)
	if err != nil {
		return nil, fmt.Errorf("truncated or damaged %s file: %w", c.name, whole(err))
	}
	if o, ok := img.(interface{ Opaque() bool }); ok && !o.Opaque() {
		return nil, errors.New("has transparent pixels: expected an opaque image; remove the alpha channel")
	}
	return square(img, resolution), nil
}

// square returns the image at resolution x resolution: the centred square of
// its shorter side, scaled. Resolution 0 keeps all pixels.
func square(img image.Image, resolution int) *image.RGBA {
	crop := img.Bounds()
	if resolution == 0 {
		out := image.NewRGBA(image.Rect(0, 0, crop.Dx(), crop.Dy()))
		draw.Draw(out, out.Bounds(), img, crop.Min, draw.Src)
		return out
	}
	side := min(crop.Dx(), crop.Dy())
	left, top := crop.Min.X+(crop.Dx()-side)/2, crop.Min.Y+(crop.Dy()-side)/2
	crop = image.Rect(left, top, left+side, top+side)
	out := image.NewRGBA(image.Rect(0, 0, resolution, resolution))
	if side == resolution {
		draw.Draw(out, out.Bounds(), img, crop.Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(out, out.Bounds(), img, crop, draw.Src, nil)
	}
	return out
}

// planes writes the first channels of img to dst, one after the other.
func planes(dst []uint8, img *image.RGBA, channels int) {
	plane := img.Rect.Dx() * img.Rect.Dy()
	for c := range channels {
		out := dst[c*plane:][:plane]
		for i := range out {
			out[i] = img.Pix[4*i+c]
		}
	}
}
