package sysmem

import (
	"runtime"
	"testing"
)

func TestParse(t *testing.T) {
	if n, ok := parse([]byte("MemTotal:  100 kB\nMemAvailable:   2048 kB\n"), "MemAvailable:"); !ok || n != 2<<20 {
		t.Errorf("%d, %v; want 2 MiB", n, ok)
	}
	for _, text := range []string{"", "MemAvailable: x kB\n", "MemFree: 5 kB\n", "MemAvailable:\n"} {
		if n, ok := parse([]byte(text), "MemAvailable:"); ok {
			t.Errorf("%q: %d", text, n)
		}
	}
}

func TestAvailable(t *testing.T) {
	n, ok := Available()
	if runtime.GOOS == "linux" && (!ok || n < 1<<20) {
		t.Errorf("%d bytes, %v", n, ok)
	}
}

// The most is no less than what this test touches.
func TestPeakResident(t *testing.T) {
	const size = 64 << 20
	touched := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		touched[i] = 1
	}
	n, ok := PeakResident()
	runtime.KeepAlive(touched)
	switch runtime.GOOS {
	case "linux", "darwin", "windows":
		if !ok || n < size || n > 100*size {
			t.Errorf("%d bytes, %v; want more than %d", n, ok, size)
		}
	}
}
