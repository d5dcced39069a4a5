//go:build gpu

package cuda

import (
	"os"

	"edm/internal/cuda/driver"
	"edm/internal/cuda/ptx"
)

// wgmmaVariable names the environment variable that, set to anything, has
// convolutions in bf16 use the matrix products of Hopper's warpgroups on devices that
// have them.
const wgmmaVariable = "EDM_CUDA_WGMMA"

// target decides the choice of kernels.
type target struct {
	precision precision
	wgmma     bool // convolutions by the matrix products of Hopper's warpgroups
}

// String returns the target's part of a backend's name.
func (t target) String() string {
	if t.wgmma {
		return t.precision.suffix() + "-wgmma"
	}
	return t.precision.suffix()
}

// targetOf returns the target of a precision on a device.
func targetOf(p precision, d driver.Info) target {
	return target{precision: p, wgmma: p == bf16 && hasWGMMA(d) && os.Getenv(wgmmaVariable) != ""}
}

// hasWGMMA reports whether a device has these products and its driver knows them.
func hasWGMMA(d driver.Info) bool { return ptx.Hopper(10*d.Major+d.Minor, d.Driver) }
