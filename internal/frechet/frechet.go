// Package frechet measures how far two sets of feature vectors are apart: the
// squared Fréchet (2-Wasserstein) distance of the Gaussians with their means
// and covariances. On the features of an Inception network it is the FID that
// EDM Sec. 5 reports.
package frechet

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Distance returns |mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2))
// (Dowson & Landau 1982; Heusel et al. 2017, Eq. 6). It is symmetric and at
// least 0, to rounding. It fails if sizes differ, a value is not finite, or a
// covariance has a negative eigenvalue. For n dimensions it takes some 20 n^3
// operations.
func Distance(mu1 []float64, sigma1 *mat.SymDense, mu2 []float64, sigma2 *mat.SymDense) (float64, error) {
	err := errors.Join(check("first", mu1, sigma1), check("second", mu2, sigma2))
	if err == nil && len(mu1) != len(mu2) {
		err = fmt.Errorf("%d and %d dimensions, want the same", len(mu1), len(mu2))
	}
	if err != nil {
		return 0, fmt.Errorf("frechet: distance: %w", err)
	}
	d := 0.0
	for i, v := range mu1 {
		d += (v - mu2[i]) * (v - mu2[i])
	}
	trace, err := traceOfRoot(sigma1, sigma2)
	if err != nil {
		return 0, fmt.Errorf("frechet: distance: %w", err)
	}
	return d + mat.Trace(sigma1) + mat.Trace(sigma2) - 2*trace, nil
}

// check returns the faults of a mean and a covariance.
func check(which string, mu []float64, sigma *mat.SymDense) error {
	if len(mu) == 0 || sigma == nil || sigma.SymmetricDim() != len(mu) {
		n := 0
		if sigma != nil {
			n = sigma.SymmetricDim()
		}
		return fmt.Errorf("%s Gaussian: mean of %d values, covariance of %dx%d: want equal sizes of 1 or more", which, len(mu), n, n)
	}
	if i := notFinite(mu); i >= 0 {
		return fmt.Errorf("%s Gaussian: mean[%d] is %v, want a finite number", which, i, mu[i])
	}
	for i := range mu {
		for j := range i + 1 {
			if v := sigma.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%s Gaussian: covariance[%d,%d] is %v, want a finite number", which, i, j, v)
			}
		}
	}
	return nil
}
