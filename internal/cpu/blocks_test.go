package cpu

import (
	"fmt"
	"testing"

	"edm/internal/testkit/optest"
)

// blockedConvs are convolutions that are cut into several blocks in every
// direction, with biases, residual and scale: images, channels in and out,
// height, width, kernel.
var blockedConvs = [][6]int{
	{5, 340, 24, 13, 17, 3}, // deep: blocks of tiles pass through memory
	{5, 20, 40, 17, 18, 3},  // several blocks of tiles, one for an image alone
	{2, 24, 340, 9, 10, 3},
	{1, 261, 77, 7, 15, 1}, // several blocks of the sum, several parts of the gradient
	{2, 33, 290, 13, 11, 1},
	{1, 520, 300, 5, 9, 1}, // several blocks of rows as well
}

// TestBlockedConvs holds them against the definition, and their images against
// the same images alone.
func TestBlockedConvs(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		for _, s := range blockedConvs {
			tolerance := 2 * convTolerance // of longer sums than TestConv's
			if s[5] == 1 {
				tolerance = 5e-6
			}
			for i, p := range optest.ConvProblems(t, s[0], s[1], s[2], s[3], s[4], s[5], true) {
				t.Run(fmt.Sprintf("%T/%v", p.Spec, s), func(t *testing.T) {
					got := p.Run(t, b)
					optest.Near(t, got, p.Exact(), tolerance)
					if i == 2 { // a sum over images
						return
					}
					last := s[0] - 1
					optest.SameBits(t, "the last image alone", p.One(t, last, s[0]).Run(t, b), row(got, last, s[0]))
				})
			}
		}
	})
}
