package cpu

// The portable tile is that of AVX2: 4 rows and up to 3 groups of 8 columns.
const (
	portableRows  = 4
	portableLanes = 8
)

// portableGemm returns the kernel for tiles of the given number of groups.
func portableGemm(vectors int) gemmFunc {
	return func(a, b []float32, off []int32, c []float32, ldc, panels, aStride, accumulate int) {
		for p := range panels {
			for j := 0; j < vectors*portableLanes; j += 2 {
				gemmColumns(a[p*aStride:], b[j:], off, c[p*portableRows*ldc+j:], ldc, accumulate)
			}
		}
	}
}

// gemmColumns computes two columns of a tile: eight sums fit the registers.
func gemmColumns(a, b []float32, off []int32, c []float32, ldc, accumulate int) {
	var s00, s01, s10, s11, s20, s21, s30, s31 float32
	c0, c1 := c[:2], c[ldc:ldc+2]
	c2, c3 := c[2*ldc:2*ldc+2], c[3*ldc:3*ldc+2]
	a = a[:len(off)*portableRows]
	for _, at := range off {
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
	if accumulate != 0 {
		s00, s01, s10, s11 = s00+c0[0], s01+c0[1], s10+c1[0], s11+c1[1]
		s20, s21, s30, s31 = s20+c2[0], s21+c2[1], s30+c3[0], s31+c3[1]
	}
	c0[0], c0[1], c1[0], c1[1] = s00, s01, s10, s11
	c2[0], c2[1], c3[0], c3[1] = s20, s21, s30, s31
}

// portableInterleave returns the transpose of the given number of rows.
func portableInterleave(rows int) func(dst, src []float32, stride, n, dstStride int) {
	return func(dst, src []float32, stride, n, dstStride int) {
		for r := range rows {
			row := src[r*stride : r*stride+n]
			for i, v := range row {
				dst[i*dstStride+r] = v
			}
		}
	}
}
