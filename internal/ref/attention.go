package ref

import "math"

// Attention is the geometry of multi-head self-attention over pixels. The
// packed input has 3C channels ordered head, channel, {q, k, v}.
type Attention struct {
	Image // of the output
	Heads int
}

func (s Attention) perHead() int { return s.C / s.Heads }

// row returns part (0 q, 1 k, 2 v) of channel c of a head.
func row[T Float](s Attention, qkv []T, n, head, c, part int) []T {
	packed := Image{s.N, 3 * s.C, s.H, s.W}
	return plane(packed, qkv, n, (head*s.perHead()+c)*3+part)
}

// eachHead calls f for every image and head with a buffer for one row of
// attention weights.
func eachHead[T Float](s Attention, f func(n, head int, w []T)) {
	w := make([]T, s.Pixels())
	for n := range s.N {
		for head := range s.Heads {
			f(n, head, w)
		}
	}
}

// logits writes q_i . k_j / sqrt(C/heads) for every j.
func logits[T Float](s Attention, w, qkv []T, n, head, i int) {
	clear(w)
	f := 1 / sqrt(T(s.perHead()))
	for c := range s.perHead() {
		axpy(f*row(s, qkv, n, head, c, 0)[i], row(s, qkv, n, head, c, 1), w)
	}
}

// AttentionLSE writes the log-sum-exp of each query's logits: lse
// [N,heads,H*W].
func AttentionLSE[T Float](s Attention, lse, qkv []T) {
	p := s.Pixels()
	eachHead(s, func(n, head int, w []T) {
		for i := range p {
			logits(s, w, qkv, n, head, i)
			top := w[0]
			for _, v := range w {
				top = max(top, v)
			}
			var sum float64
			for _, v := range w {
				sum += math.Exp(float64(v - top))
			}
			lse[(n*s.Heads+head)*p+i] = top + T(math.Log(sum))
		}
	})
}

// weights writes softmax row i.
func weights[T Float](s Attention, w, qkv, lse []T, n, head, i int) {
	logits(s, w, qkv, n, head, i)
	l := lse[(n*s.Heads+head)*s.Pixels()+i]
	for j := range w {
		w[j] = exp(w[j] - l)
	}
}

// AttentionApply writes the attention-weighted values: y [N,C,H,W].
func AttentionApply[T Float](s Attention, y, qkv, lse []T) {
	eachHead(s, func(n, head int, w []T) {
		for i := range s.Pixels() {
			weights(s, w, qkv, lse, n, head, i)
			for c := range s.perHead() {
				plane(s.Image, y, n, head*s.perHead()+c)[i] = dot(w, row(s, qkv, n, head, c, 2))
			}
		}
	})
}

// AttentionGrad writes the gradient by qkv from g and the output y.
func AttentionGrad[T Float](s Attention, dqkv, g, qkv, lse, y []T) {
	clear(dqkv)
	dw := make([]T, s.Pixels())
	f := 1 / sqrt(T(s.perHead()))
	eachHead(s, func(n, head int, w []T) {
		for i := range s.Pixels() {
			weights(s, w, qkv, lse, n, head, i)
			// The softmax's own gradient needs sum_j w_j dw_j, which is g . y.
			var gy T
			clear(dw)
			for c := range s.perHead() {
				gi := plane(s.Image, g, n, head*s.perHead()+c)[i]
				gy += gi * plane(s.Image, y, n, head*s.perHead()+c)[i]
				axpy(gi, row(s, qkv, n, head, c, 2), dw)
				axpy(gi, w, row(s, dqkv, n, head, c, 2))
			}
			for j := range w {
				w[j] *= f * (dw[j] - gy)
			}
			for c := range s.perHead() {
				row(s, dqkv, n, head, c, 0)[i] = dot(w, row(s, qkv, n, head, c, 1))
				axpy(row(s, qkv, n, head, c, 0)[i], w, row(s, dqkv, n, head, c, 1))
			}
		}
	})
}
