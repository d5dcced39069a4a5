//go:build !linux && !darwin && !windows

package sysmem

// PeakResident returns the most bytes that this process has had resident, and
// false where the system does not say, as here.
func PeakResident() (bytes int64, ok bool) { return 0, false }
