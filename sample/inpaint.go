package sample

import (
	"context"
	"errors"
	"fmt"
)

// Inpaint returns den with the known pixels of its results replaced: D' = mask
// known + (1 - mask) D. A mask of 1 keeps a pixel, 0 leaves it to den, and values
// between blend. known and mask are [Dim] or [N, Dim] row-major and are repeated
// over a longer batch; both are copied.
//
// Every solver keeps the known pixels: at every noise level they are known +
// sigma n, as den sees them, and the last step ends at D'. (With another process than
// EDM's they come as near to known as the solver is exact.) The other pixels are drawn
// to fit, the better the more pixels are known, and better with fresh noise. Their
// distribution is not exactly the conditional one.
//
// Wrap guidance and anything else first: with [N, Dim] values the sampler must get the
// result itself, so that an adaptive solver can tell it which images it asks for. Lengths that do not fit, values that are not finite and a mask
// outside [0, 1] are errors.
func Inpaint(den Denoiser, known, mask []float64) (Denoiser, error) {
	if den == nil {
		return nil, errors.New("sample: inpaint: no denoiser")
	}
	if len(known) == 0 || len(mask) == 0 || len(known)%len(mask) != 0 && len(mask)%len(known) != 0 {
		return nil, fmt.Errorf("sample: inpaint: %d known numbers do not fit a mask of %d, want [Dim] or [N, Dim] of each", len(known), len(mask))
	}
	if j := firstNonFinite(known); j >= 0 {
		return nil, fmt.Errorf("sample: inpaint: known number %d is %g, want finite numbers, also where the mask is 0", j, known[j])
	}
	for j, m := range mask {
		if !(m >= 0 && m <= 1) {
			return nil, fmt.Errorf("sample: inpaint: mask number %d is %g, want 0 to 1", j, m)
		}
	}
	n := max(len(known), len(mask))
	p := &inpainter{Denoiser: den, known: make([]float64, n), mask: make([]float64, n)}
	for j := range n {
		p.known[j], p.mask[j] = known[j%len(known)], mask[j%len(mask)]
	}
	return p, nil
}

// inpainter is the result of Inpaint. known and mask have equal lengths.
type inpainter struct {
	Denoiser
	known, mask []float64
}

// Denoise implements Denoiser.
func (p *inpainter) Denoise(ctx context.Context, dst, x []float64, sigma float64, labels []float32) error {
	if len(dst)%len(p.mask) != 0 {
		return fmt.Errorf("sample: inpaint: a batch of %d numbers is not a multiple of the mask's %d", len(dst), len(p.mask))
	}
	if err := p.Denoiser.Denoise(ctx, dst, x, sigma, labels); err != nil {
		return err
	}
	for a := 0; a < len(dst); a += len(p.mask) {
		p.blend(dst[a:a+len(p.mask)], 0)
	}
	return nil
}

// denoiseImages implements imagewise.
func (p *inpainter) denoiseImages(ctx context.Context, dst, x, sigmas []float64, labels []float32, images []int) error {
	dim := len(x) / len(sigmas)
	if len(p.mask)%dim != 0 {
		return fmt.Errorf("sample: inpaint: a mask of %d numbers is not one or more images of %d", len(p.mask), dim)
	}
	if err := denoiseSome(ctx, p.Denoiser, dst, x, sigmas, labels, images); err != nil {
		return err
	}
	for k, i := range images {
		p.blend(dst[k*dim:(k+1)*dim], i*dim%len(p.mask))
	}
	return nil
}

// blend replaces the known pixels in dst, which is at offset at in the mask.
func (p *inpainter) blend(dst []float64, at int) {
	known, mask := p.known[at:at+len(dst)], p.mask[at:at+len(dst)]
	for j, m := range mask {
		switch m {
		case 0:
		case 1:
			dst[j] = known[j]
		default:
			dst[j] += m * (known[j] - dst[j])
		}
	}
}
