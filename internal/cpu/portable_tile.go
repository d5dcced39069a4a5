package cpu

// portableTile returns the tileFunc for tiles of the given number of groups of
// 8 columns.
func portableTile(vectors int) tileFunc {
	wide := vectors * portableLanes
	return func(t *tileArgs) {
		b, bStep := t.b, t.bStep
		if t.pack != nil {
			for i := range t.depth {
				copy(t.pack[i*wide:(i+1)*wide], b[i*bStep:])
			}
			b, bStep = t.pack, wide
		}
		var panel [maxDepth * portableRows]float32
		for p := range t.panels {
			gatherPanel(panel[:t.depth*portableRows], t, p*portableRows)
			for j := 0; j < wide; j += 2 {
				tileColumns(t, panel[:t.depth*portableRows], b[j:], bStep, p*portableRows, j)
			}
		}
	}
}

// gatherPanel packs the rows of A from row i on, four to a step.
func gatherPanel(dst []float32, t *tileArgs, i int) {
	for r := range portableRows {
		at := (i + r) * t.aRow
		for to := r; to < len(dst); to += portableRows {
			dst[to] = t.a[at]
			at += t.aStep
		}
	}
}

// tileColumns computes columns j and j+1 of rows i to i+3: eight sums fit the
// registers.
func tileColumns(t *tileArgs, a, b []float32, bStep, i, j int) {
	var s00, s01, s10, s11, s20, s21, s30, s31 float32
	for at := 0; len(a) >= portableRows; at += bStep {
		x := (*[4]float32)(a)
		y := (*[2]float32)(b[at:])
		s00 += x[0] * y[0]
		s01 += x[0] * y[1]
		s10 += x[1] * y[0]
		s11 += x[1] * y[1]
		s20 += x[2] * y[0]
		s21 += x[2] * y[1]
		s30 += x[3] * y[0]
		s31 += x[3] * y[1]
		a = a[portableRows:]
	}
	s := [portableRows][2]float32{{s00, s01}, {s10, s11}, {s20, s21}, {s30, s31}}
	for r := range s {
		finishPair(t, (*[2]float32)(t.c[(i+r)*t.ldc+j:]), s[r], i+r, j)
	}
}

// finishPair writes two elements of row i from their sums.
func finishPair(t *tileArgs, c *[2]float32, sums [2]float32, i, j int) {
	for n, v := range sums {
		if t.accumulate != 0 {
			v += c[n]
		}
		if t.finish != 0 {
			v *= t.scale
			switch {
			case t.add != nil:
				v += t.add[i]
			case t.shift != nil:
				v += t.shift[j+n]
			}
			if t.residual != nil {
				v += t.scale * t.residual[i*t.ldc+j+n]
			}
		}
		c[n] = v
	}
}
