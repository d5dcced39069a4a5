// Package sysmem asks the system how much memory there is, so that a plan that
// cannot fit is refused with a message: Go has no way to survive an allocation
// that fails. It also asks how much this process has had.
package sysmem

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
)

// Available returns the bytes that new allocations may take without swapping,
// and false where the system does not say (it is read from Linux's
// /proc/meminfo).
func Available() (bytes int64, ok bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	return parse(text, "MemAvailable:")
}

// parse finds a line such as "MemAvailable:   12345 kB" by its first word.
func parse(text []byte, key string) (int64, bool) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		f := bytes.Fields(lines.Bytes())
		if len(f) < 2 || string(f[0]) != key {
			continue
		}
		kB, err := strconv.ParseInt(string(f[1]), 10, 64)
		return kB << 10, err == nil && kB >= 0
	}
	return 0, false
}
