package cpu

// portableWinograd returns the primitives in Go, on blocks of portableLanes
// channels.
func portableWinograd() winogradSet {
	return winogradSet{
		rows:       portableRows,
		fetch:      func([]float32, int, int, int) {},
		input:      mapRows(6, 6, inputMap),
		output:     mapRows(6, 4, outputMap),
		spread:     mapRows(4, 6, spreadMap),
		filter:     mapRows(3, 6, filterMap),
		mirror:     mapRows(3, 6, func(g *[6]float32) [6]float32 { return filterMap(&[6]float32{g[2], g[1], g[0]}) }),
		filterGrad: mapRows(6, 3, filterGradMap),
		product:    [3]func(c, a, b, next []float32, tiles, depth, cStride, aStride, bStride int){nil, portableProduct(1), portableProduct(2)},
		gradient:   [3]func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int){nil, portableGradient(1), portableGradient(2)},
	}
}

func inputMap(d *[6]float32) [6]float32 {
	a, b, c, e := d[4]-4*d[2], d[3]-4*d[1], d[4]-d[2], d[3]-d[1]
	return [6]float32{4*d[0] + (d[4] - 5*d[2]), a + b, a - b, c + 2*e, c - 2*e, 4*d[1] + (d[5] - 5*d[3])}
}

func outputMap(m *[6]float32) [6]float32 {
	s, d, t, e := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [6]float32{m[0] + s + t, d + 2*e, s + 4*t, d + 8*e + m[5]}
}

func spreadMap(y *[6]float32) [6]float32 {
	e, o, f, p := y[0]+y[2], y[1]+y[3], y[0]+4*y[2], y[1]+4*y[3]
	return [6]float32{y[0], e + o, e - o, f + 2*p, f - 2*p, y[3]}
}

func filterMap(g *[6]float32) [6]float32 {
	const c4, c6, c12, c24 = 1.0 / 4, 1.0 / 6, 1.0 / 12, 1.0 / 24
	s, r := g[0]+g[2], c24*g[0]+c6*g[2]
	return [6]float32{c4 * g[0], -c6 * (s + g[1]), -c6 * (s - g[1]), r + c12*g[1], r - c12*g[1], g[2]}
}

func filterGradMap(u *[6]float32) [6]float32 {
	const c4, c6, c12, c24 = 1.0 / 4, 1.0 / 6, 1.0 / 12, 1.0 / 24
	s, d, t, e := u[1]+u[2], u[2]-u[1], u[3]+u[4], u[3]-u[4]
	return [6]float32{c4*u[0] - c6*s + c24*t, c6*d + c12*e, u[5] - c6*s + c6*t}
}

// mapRows applies a map of in to out numbers to every lane.
func mapRows(in, out int, f func(*[6]float32) [6]float32) winogradMap {
	return func(dst, src []float32, outer, dstOuter, srcOuter, inner, dstInner, srcInner, dstStride, srcStride int) {
		for o := range outer {
			for i := range inner {
				to, from := dst[o*dstOuter+i*dstInner:], src[o*srcOuter+i*srcInner:]
				for lane := range portableLanes {
					var v [6]float32
					for s := range in {
						v[s] = from[s*srcStride+lane]
					}
					v = f(&v)
					for r := range out {
						to[r*dstStride+lane] = v[r]
					}
				}
			}
		}
	}
}

func portableProduct(columns int) func(c, a, b, next []float32, tiles, depth, cStride, aStride, bStride int) {
	return func(c, a, b, _ []float32, tiles, depth, cStride, aStride, bStride int) {
		for v := range columns {
			for t := range tiles * portableRows {
				var sum [portableLanes]float32
				for k := range depth * portableLanes {
					x := a[k/portableLanes*aStride+t*portableLanes+k%portableLanes]
					addScaled(&sum, x, b[v*bStride+k*portableLanes:])
				}
				copy(c[v*cStride+t*portableLanes:], sum[:])
			}
		}
	}
}

func portableGradient(columns int) func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int) {
	return func(c, a, b []float32, tiles, blocks, cStride, aStride, bStride, accumulate int) {
		for v := range columns {
			for i := range blocks * portableLanes {
				var sum [portableLanes]float32
				for t := range tiles {
					addScaled(&sum, a[i/portableLanes*aStride+t*portableLanes+i%portableLanes], b[v*bStride+t*portableLanes:])
				}
				to := c[v*cStride+i*portableLanes:][:portableLanes]
				if accumulate != 0 {
					for lane := range sum {
						sum[lane] += to[lane]
					}
				}
				copy(to, sum[:])
			}
		}
	}
}

// addScaled adds x*row to the sums.
func addScaled(sum *[portableLanes]float32, x float32, row []float32) {
	y := (*[portableLanes]float32)(row)
	for lane := range sum {
		sum[lane] += x * y[lane]
	}
}
