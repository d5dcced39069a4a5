package sysmem

import "golang.org/x/sys/unix"

// PeakResident returns the most bytes that this process has had resident, and
// false where the system does not say.
func PeakResident() (bytes int64, ok bool) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return u.Maxrss, true // in bytes here, unlike on other systems
}
