package cpu

// ceilDiv returns a/b rounded up.
func ceilDiv(a, b int) int { return (a + b - 1) / b }

// roundUp returns the least multiple of b that is at least a.
func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// maxVectors is the widest tile in vectors.
const maxVectors = 3

// The greatest tile of any implementation.
const (
	maxRows    = 8
	maxColumns = maxVectors * 16
	maxTile    = maxRows * maxColumns
)

// tiles divides cols columns into tiles of almost equal width, at most three
// vectors wide; all but the last are whole vectors.
type tiles struct{ cols, lanes, vectors, count int }

func (k *kernels) tiles(cols int) tiles {
	v := ceilDiv(cols, k.lanes)
	return tiles{cols: cols, lanes: k.lanes, vectors: v, count: ceilDiv(v, maxVectors)}
}

// at returns the first column of tile i and its number of columns.
func (t tiles) at(i int) (first, cols int) {
	from, to := i*t.vectors/t.count, (i+1)*t.vectors/t.count
	return from * t.lanes, min(to*t.lanes, t.cols) - from*t.lanes
}

// multiply computes the m x cols matrix c (+)= A B with the gemm kernel for at
// most three vectors of columns. A is packed in ceil(m/rows) panels, each
// aStride elements after the one before. Tiles that would reach outside c go
// through edge, scratch of maxTile elements. B must be readable for whole
// vectors.
func (k *kernels) multiply(a, b []float32, off []int32, c []float32, ldc, m, cols, aStride int, accumulate bool, edge []float32) {
	vectors := ceilDiv(cols, k.lanes)
	gemm, acc, whole := k.gemm[vectors], 0, 0
	if accumulate {
		acc = 1
	}
	if cols == vectors*k.lanes {
		whole = m / k.rows
		gemm(a, b, off, c, ldc, whole, aStride, acc)
	}
	wide := vectors * k.lanes
	for p := whole; p*k.rows < m; p++ {
		rows := min(k.rows, m-p*k.rows)
		part := c[p*k.rows*ldc:]
		if accumulate {
			for r := range rows {
				copy(edge[r*wide:r*wide+cols], part[r*ldc:])
			}
		}
		gemm(a[p*aStride:], b, off, edge, wide, 1, 0, acc)
		for r := range rows {
			copy(part[r*ldc:r*ldc+cols], edge[r*wide:])
		}
	}
}

// interleave writes n groups of width elements, each dstStride after the one
// before: element r of group i is src[r*stride+i] for r < valid, zero for the
// others. width is a multiple of 4.
func (k *kernels) interleave(dst, src []float32, valid, width, stride, n, dstStride int) {
	for width > 0 {
		step := 4
		if width >= 8 {
			step = 8
		}
		k.interleaveBlock(dst, src, min(valid, step), step, stride, n, dstStride)
		width -= step
		valid = max(valid-step, 0)
		if width > 0 {
			dst = dst[step:]
			src = src[min(step*stride, len(src)):]
		}
	}
}

// interleaveBlock is interleave for a width of 4 or 8.
func (k *kernels) interleaveBlock(dst, src []float32, valid, width, stride, n, dstStride int) {
	from := 0
	if valid == width {
		from = n &^ 3
		if width == 8 {
			k.interleave8(dst, src, stride, from, dstStride)
		} else {
			k.interleave4(dst, src, stride, from, dstStride)
		}
	}
	for i := from; i < n; i++ {
		group := dst[i*dstStride : i*dstStride+width]
		for r := range group {
			if r < valid {
				group[r] = src[r*stride+i]
			} else {
				group[r] = 0
			}
		}
	}
}

// transpose writes dst[j*dstStride+i] = src[i*srcStride+j] for rows rows i and
// cols columns j of src.
func (k *kernels) transpose(dst, src []float32, rows, cols, dstStride, srcStride int) {
	whole := rows &^ 7
	for i := 0; i < whole; i += 8 {
		k.interleaveBlock(dst[i:], src[i*srcStride:], 8, 8, srcStride, cols, dstStride)
	}
	for j := range cols {
		for i := whole; i < rows; i++ {
			dst[j*dstStride+i] = src[i*srcStride+j]
		}
	}
}
