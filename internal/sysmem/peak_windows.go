package sysmem

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryCounters is PROCESS_MEMORY_COUNTERS of the Windows API.
type memoryCounters struct {
	size              uint32
	pageFaults        uint32
	peakWorkingSet    uintptr
	workingSet        uintptr
	peakPagedPool     uintptr
	pagedPool         uintptr
	peakNonPagedPool  uintptr
	nonPagedPool      uintptr
	pagefileUsage     uintptr
	peakPagefileUsage uintptr
}

// PeakResident returns the most bytes that this process has had resident, and
// false where the system does not say.
func PeakResident() (bytes int64, ok bool) {
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")
	if call.Find() != nil {
		return 0, false
	}
	var c memoryCounters
	c.size = uint32(unsafe.Sizeof(c))
	done, _, _ := call.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&c)), uintptr(c.size))
	return int64(c.peakWorkingSet), done != 0
}
