package augment

import "math"

// affine maps (x, y) to (m[0][0] x + m[0][1] y + m[0][2], ...). x points right
// and y down; the origin is the centre of the image.
type affine [2][3]float64

func identity() affine { return scaling(1, 1) }

func scaling(sx, sy float64) affine { return affine{{sx, 0, 0}, {0, sy, 0}} }

func translation(tx, ty float64) affine { return affine{{1, 0, tx}, {0, 1, ty}} }

func rotation(angle float64) affine {
	sin, cos := math.Sincos(angle)
	return affine{{cos, -sin, 0}, {sin, cos, 0}}
}

// times returns the map that does b, then a.
func (a affine) times(b affine) affine {
	var m affine
	for i := range m {
		for j := range m[i] {
			m[i][j] = a[i][0]*b[0][j] + a[i][1]*b[1][j]
		}
		m[i][2] += a[i][2]
	}
	return m
}

func (a affine) at(x, y float64) (float64, float64) {
	return a[0][0]*x + a[0][1]*y + a[0][2], a[1][0]*x + a[1][1]*y + a[1][2]
}
