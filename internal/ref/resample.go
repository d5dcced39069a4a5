package ref

// Down writes x [N,C,H,W] filtered with the separable filter taps (normalised
// to sum 1) and decimated by 2, times gain: y [N,C,H/2,W/2]. Output pixel i
// reads input pixels 2i-pad+k for tap k, pad = (len(taps)-1)/2; outside the
// image is zero.
func Down[T Float](s Image, y, x []T, taps []float64, gain float64) {
	clear(y)
	half := Image{s.N, s.C, s.H / 2, s.W / 2}
	eachTap(s, taps, gain, func(w T, nc, small, large int) {
		y[nc*half.Pixels()+small] += w * x[nc*s.Pixels()+large]
	})
}

// Up writes the transpose of Down: s is the extent of the output, twice that
// of x.
func Up[T Float](s Image, y, x []T, taps []float64, gain float64) {
	clear(y)
	half := Image{s.N, s.C, s.H / 2, s.W / 2}
	eachTap(s, taps, gain, func(w T, nc, small, large int) {
		y[nc*s.Pixels()+large] += w * x[nc*half.Pixels()+small]
	})
}

// eachTap calls f with the weight that joins pixel small of the half-size image
// to pixel large of the full one, for every feature map.
func eachTap[T Float](s Image, taps []float64, gain float64, f func(w T, nc, small, large int)) {
	var sum float64
	for _, v := range taps {
		sum += v
	}
	pad := (len(taps) - 1) / 2
	for nc := range s.N * s.C {
		for i := range s.H / 2 {
			for j := range s.W / 2 {
				for a, wa := range taps {
					for b, wb := range taps {
						y, x := 2*i-pad+a, 2*j-pad+b
						if y < 0 || y >= s.H || x < 0 || x >= s.W {
							continue
						}
						f(T(gain*wa*wb/(sum*sum)), nc, i*(s.W/2)+j, y*s.W+x)
					}
				}
			}
		}
	}
}

// Pad writes x [N,C,H,W] with a border of width zeros: y [N,C,H+2w,W+2w].
func Pad[T Float](s Image, width int, y, x []T) {
	clear(y)
	eachRow(s, width, func(inner, outer int) { copy(y[outer:outer+s.W], x[inner:]) })
}

// Crop writes the transpose of Pad: s is the extent of the output.
func Crop[T Float](s Image, width int, y, x []T) {
	eachRow(s, width, func(inner, outer int) { copy(y[inner:inner+s.W], x[outer:]) })
}

// eachRow calls f for every row of an image with its place there and in the
// padded image.
func eachRow(s Image, width int, f func(inner, outer int)) {
	wide, high := s.W+2*width, s.H+2*width
	for nc := range s.N * s.C {
		for y := range s.H {
			f((nc*s.H+y)*s.W, (nc*high+y+width)*wide+width)
		}
	}
}
