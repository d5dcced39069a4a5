package sample

// towards writes x + fraction (denoised - x) to dst, the step that both Euler's
// method on the ODE in sigma and the exponential methods in ln sigma are made
// of: the difference from the denoised image shrinks by 1 - fraction. dst may
// be x or denoised.
func towards(dst, x, denoised []float64, fraction float64) {
	x, denoised = x[:len(dst)], denoised[:len(dst)]
	for j := range dst {
		dst[j] = x[j] + fraction*(denoised[j]-x[j])
	}
}

// extrapolate writes a + by (a - b) to dst, which may be a or b.
func extrapolate(dst, a, b []float64, by float64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for j := range dst {
		dst[j] = a[j] + by*(a[j]-b[j])
	}
}

// shift writes x + by y to dst, which may be either.
func shift(dst, x, y []float64, by float64) {
	x, y = x[:len(dst)], y[:len(dst)]
	for j := range dst {
		dst[j] = x[j] + by*y[j]
	}
}

// addDraw adds std times the unit normals of a draw to r.X, for step i, and
// nothing for a std of 0. scratch is overwritten.
func (r *Run) addDraw(scratch []float64, std float64, i int, draw uint64) error {
	if std == 0 {
		return nil
	}
	if err := r.Draw(scratch, i, draw); err != nil {
		return err
	}
	shift(r.X, r.X, scratch, std)
	return nil
}
