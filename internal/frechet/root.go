package frechet

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// negligible bounds the rounding error of an eigenvalue of zero, relative to the
// largest one.
const negligible = 1e-8

// traceOfRoot returns tr((a b)^(1/2)). It is the trace of the root of
// a^(1/2) b a^(1/2), so the sum of the singular values of a^(1/2) b^(1/2).
// Those are exact to rounding of the largest one; the eigenvalues of the
// product would lose half the digits of the small ones in the root.
func traceOfRoot(a, b *mat.SymDense) (float64, error) {
	rootA, err := squareRoot(a)
	if err != nil {
		return 0, fmt.Errorf("first covariance: %w", err)
	}
	rootB, err := squareRoot(b)
	if err != nil {
		return 0, fmt.Errorf("second covariance: %w", err)
	}
	var product mat.Dense
	product.Mul(rootA, rootB)
	var svd mat.SVD
	if !svd.Factorize(&product, mat.SVDNone) {
		return 0, errors.New("the singular values of the product do not converge")
	}
	trace := 0.0
	for _, v := range svd.Values(nil) {
		trace += v
	}
	return trace, nil
}

// squareRoot returns the positive semidefinite root of a.
func squareRoot(a *mat.SymDense) (*mat.Dense, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(a, true) {
		return nil, errors.New("the eigenvalues do not converge")
	}
	values := eigen.Values(nil) // in ascending order
	n := len(values)
	if least := values[0]; least < -negligible*math.Abs(values[n-1]) {
		return nil, fmt.Errorf("it has the eigenvalue %.3g: expected a covariance, which has none below 0", least)
	}
	var vectors, scaled, root mat.Dense
	eigen.VectorsTo(&vectors)
	scaled.Apply(func(_, j int, v float64) float64 { return v * math.Sqrt(max(values[j], 0)) }, &vectors)
	root.Mul(&scaled, vectors.T())
	return &root, nil
}
