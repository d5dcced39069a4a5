package ref

// Conv is the geometry of a K x K convolution with stride 1 and padding K/2,
// which keeps the image size; K is odd.
type Conv struct {
	N, Cin, Cout, H, W, K int
}

func (s Conv) in() Image  { return Image{s.N, s.Cin, s.H, s.W} }
func (s Conv) out() Image { return Image{s.N, s.Cout, s.H, s.W} }

// tap returns the weight index of (co, ci, ky, kx).
func (s Conv) tap(co, ci, ky, kx int) int {
	return ((co*s.Cin+ci)*s.K+ky)*s.K + kx
}

// rows calls f for every image row y and the span of columns for which the
// input pixel (y+ky-pad, x+kx-pad) exists: output pixels [at, at+n) of the row
// meet input pixels [from, from+n) of the plane.
func (s Conv) rows(ky, kx int, f func(at, from, n int)) {
	dy, dx := ky-s.K/2, kx-s.K/2
	lo, hi := max(0, -dx), min(s.W, s.W-dx)
	if lo >= hi {
		return
	}
	for y := max(0, -dy); y < min(s.H, s.H-dy); y++ {
		f(y*s.W+lo, (y+dy)*s.W+lo+dx, hi-lo)
	}
}

// Conv2D writes the cross-correlation of x [N,Cin,H,W] with w [Cout,Cin,K,K]
// to y [N,Cout,H,W].
func Conv2D[T Float](s Conv, y, x, w []T) {
	clear(y)
	for n := range s.N {
		for co := range s.Cout {
			out := plane(s.out(), y, n, co)
			for ci := range s.Cin {
				in := plane(s.in(), x, n, ci)
				for ky := range s.K {
					for kx := range s.K {
						a := w[s.tap(co, ci, ky, kx)]
						s.rows(ky, kx, func(at, from, n int) { axpy(a, in[from:from+n], out[at:at+n]) })
					}
				}
			}
		}
	}
}

// Conv2DData writes the gradient by x: dx [N,Cin,H,W] from g [N,Cout,H,W].
func Conv2DData[T Float](s Conv, dx, g, w []T) {
	clear(dx)
	for n := range s.N {
		for ci := range s.Cin {
			out := plane(s.in(), dx, n, ci)
			for co := range s.Cout {
				in := plane(s.out(), g, n, co)
				for ky := range s.K {
					for kx := range s.K {
						a := w[s.tap(co, ci, ky, kx)]
						s.rows(ky, kx, func(at, from, n int) { axpy(a, in[at:at+n], out[from:from+n]) })
					}
				}
			}
		}
	}
}

// Conv2DWeights writes the gradient by w: dw [Cout,Cin,K,K], summed over the
// batch.
func Conv2DWeights[T Float](s Conv, dw, x, g []T) {
	clear(dw)
	for n := range s.N {
		for co := range s.Cout {
			grad := plane(s.out(), g, n, co)
			for ci := range s.Cin {
				in := plane(s.in(), x, n, ci)
				for ky := range s.K {
					for kx := range s.K {
						var sum T
						s.rows(ky, kx, func(at, from, n int) { sum += dot(grad[at:at+n], in[from:from+n]) })
						dw[s.tap(co, ci, ky, kx)] += sum
					}
				}
			}
		}
	}
}

// ConvEpilogue finishes y [N,C,H,W] in place: y = (y + bias[c] + sample[n,c] +
// residual) * scale. Nil terms are left out.
func ConvEpilogue[T Float](s Image, y, bias, sample, residual []T, scale T) {
	p := s.Pixels()
	for nc := range s.N * s.C {
		var b T
		if bias != nil {
			b += bias[nc%s.C]
		}
		if sample != nil {
			b += sample[nc]
		}
		row := y[nc*p : (nc+1)*p]
		if residual == nil {
			for i := range row {
				row[i] = (row[i] + b) * scale
			}
			continue
		}
		res := residual[nc*p : (nc+1)*p]
		for i := range row {
			row[i] = (row[i] + b + res[i]) * scale
		}
	}
}
