package sysmem

import "os"

// PeakResident returns the most bytes that this process has had resident, and
// false where the system does not say. (On Linux getrusage would also count
// the process that started this one.)
func PeakResident() (bytes int64, ok bool) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	return parse(text, "VmHWM:")
}
