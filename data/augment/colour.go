package augment

import "math"

// colour maps (r, g, b) to (m[0][0] r + m[0][1] g + m[0][2] b + m[0][3], ...).
type colour [3][4]float64

func unchanged() colour { return gain(1) }

// offset adds v to every channel.
func offset(v float64) colour {
	m := unchanged()
	for i := range m {
		m[i][3] = v
	}
	return m
}

// gain multiplies every channel by s.
func gain(s float64) colour { return colour{{s, 0, 0, 0}, {0, s, 0, 0}, {0, 0, s, 0}} }

// stretch multiplies the part of a colour along the grey axis by along, and the part
// across it by across.
func stretch(along, across float64) colour {
	m := gain(across)
	for i := range m {
		for j := range 3 {
			m[i][j] += (along - across) / 3
		}
	}
	return m
}

// alongGrey multiplies the lightness by s.
func alongGrey(s float64) colour { return stretch(s, 1) }

// acrossGrey multiplies the saturation by s.
func acrossGrey(s float64) colour { return stretch(1, s) }

// aboutGrey turns the hue by an angle: Rodrigues' rotation about (1, 1, 1).
func aboutGrey(angle float64) colour {
	sin, cos := math.Sincos(angle)
	m := stretch(1, cos)
	turn := sin / math.Sqrt(3)
	for i := range m {
		m[i][(i+1)%3] -= turn
		m[i][(i+2)%3] += turn
	}
	return m
}

// times returns the map that does b, then a.
func (a colour) times(b colour) colour {
	var m colour
	for i := range m {
		for j := range m[i] {
			m[i][j] = a[i][0]*b[0][j] + a[i][1]*b[1][j] + a[i][2]*b[2][j]
		}
		m[i][3] += a[i][3]
	}
	return m
}

// apply maps the colours of img, [C,H,W] with 1 or 3 channels. A grey image
// stays grey: it takes the mean of the colour that its grey becomes.
func (a colour) apply(img []float32, channels int) {
	if channels == 1 {
		var factor, constant float64
		for _, row := range a {
			factor += (row[0] + row[1] + row[2]) / 3
			constant += row[3] / 3
		}
		f, c := float32(factor), float32(constant)
		for i, v := range img {
			img[i] = f*v + c
		}
		return
	}
	var m [3][4]float32
	for i := range m {
		for j := range m[i] {
			m[i][j] = float32(a[i][j])
		}
	}
	n := len(img) / 3
	red, green, blue := img[:n], img[n:2*n], img[2*n:3*n]
	for i, r := range red {
		g, b := green[i], blue[i]
		red[i] = m[0][0]*r + m[0][1]*g + m[0][2]*b + m[0][3]
		green[i] = m[1][0]*r + m[1][1]*g + m[1][2]*b + m[1][3]
		blue[i] = m[2][0]*r + m[2][1]*g + m[2][2]*b + m[2][3]
	}
}
