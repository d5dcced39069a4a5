package sysmem

import (
	"runtime"
	"testing"
)

func TestParse(t *testing.T) {
	if n, ok := parse([]byte("MemTotal:  100 kB\nMemAvailable:   2048 kB\n")); !ok || n != 2<<20 {
		t.Errorf("%d, %v; want 2 MiB", n, ok)
	}
	for _, text := range []string{"", "MemAvailable: x kB\n", "MemFree: 5 kB\n", "MemAvailable:\n"} {
		if n, ok := parse([]byte(text)); ok {
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
