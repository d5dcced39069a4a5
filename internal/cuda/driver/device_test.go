//go:build gpu

package driver_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"edm/internal/cuda/driver"
	"edm/internal/testkit/drivertest"
)

func TestInfo(t *testing.T) {
	i := drivertest.Open(t).Info()
	t.Log(i)
	switch {
	case i.Name == "":
		t.Error("no name")
	case i.Major < driver.MinMajor || i.Driver < driver.MinDriver:
		t.Errorf("capability %d.%d, driver %d: Open ought to refuse", i.Major, i.Minor, i.Driver)
	case i.TotalMem < 1<<20 || i.Multiprocessors < 1:
		t.Errorf("%d bytes, %d multiprocessors", i.TotalMem, i.Multiprocessors)
	case i.MaxShared < 99<<10:
		t.Errorf("%d bytes of shared memory: every device has 99 KiB", i.MaxShared)
	}
}

func TestOrdinals(t *testing.T) {
	n, err := driver.Count()
	drivertest.Need(t, err)
	for _, ordinal := range []int{-1, n, n + 7} {
		d, err := driver.Open(ordinal)
		if err == nil {
			must(t, d.Close())
			t.Fatalf("opened device %d of %d", ordinal, n)
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("no CUDA device %d; the devices are 0 (", ordinal)) {
			t.Errorf("%v: want the ordinal and the devices", err)
		}
	}
}

func TestMemory(t *testing.T) {
	d := drivertest.Open(t)
	const n = 1000
	at, err := d.Alloc(4 * n)
	if err != nil {
		t.Fatal(err)
	}
	if at%256 != 0 {
		t.Errorf("address %x is not aligned", at)
	}
	sent, got := make([]float32, n), make([]float32, n)
	for i := range sent {
		sent[i] = float32(i) - 0.5
	}
	must(t, driver.Upload(d, at, sent))
	must(t, driver.Download(d, got[:10], at))
	must(t, driver.Download(d, got[10:], at+40))
	if !slices.Equal(got, sent) {
		t.Error("what came back is not what was sent")
	}
	if up, down := d.Traffic(); up != 4*n || down != 4*n {
		t.Errorf("%d bytes went up and %d down, want %d of each", up, down, 4*n)
	}
	// Whole words in the middle, the rest untouched.
	must(t, d.Fill(at+40, 0x40490fdb, 5))
	must(t, driver.Download(d, got, at))
	for i := range sent {
		want := sent[i]
		if i >= 10 && i < 15 {
			want = 3.14159274
		}
		if got[i] != want {
			t.Fatalf("element %d after Fill: %v, want %v", i, got[i], want)
		}
	}
	must(t, driver.Upload(d, at, []int64{-5, 1 << 40}))
	whole := make([]int64, 2)
	must(t, driver.Download(d, whole, at))
	if whole[0] != -5 || whole[1] != 1<<40 {
		t.Errorf("int64: %v", whole)
	}
	must(t, d.Free(at))
	must(t, d.Free(0))
}

func TestOutOfMemory(t *testing.T) {
	d := drivertest.Open(t)
	free, err := d.FreeMem()
	must(t, err)
	if free <= 0 || free > d.Info().TotalMem {
		t.Errorf("%d of %d bytes free", free, d.Info().TotalMem)
	}
	want := d.Info().TotalMem * 4
	if _, err = d.Alloc(want); !errors.Is(err, driver.OutOfMemory) {
		t.Fatalf("allocate four times the memory: %v", err)
	}
	for _, part := range []string{fmt.Sprint(want), "cuMemAlloc_v2", "CUDA_ERROR_OUT_OF_MEMORY"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: want %s in it", err, part)
		}
	}
	if _, err := d.Alloc(0); err == nil {
		t.Error("allocated nothing")
	}
	// The device is as good as before.
	at, err := d.Alloc(1024)
	must(t, err)
	must(t, d.Free(at))
}

func TestClosed(t *testing.T) {
	d := drivertest.Open(t)
	other := drivertest.Open(t)
	must(t, d.Close())
	if _, err := d.Alloc(4); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("allocate on a closed device: %v", err)
	}
	if err := d.Close(); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("close twice: %v", err)
	}
	// The primary context is shared: another Device of the process keeps it.
	at, err := other.Alloc(4)
	must(t, err)
	must(t, driver.Upload(other, at, []float32{1}))
	must(t, other.Free(at))
}

// What a device was not given back it gives back when it is closed, also while
// another Device of the process keeps the context. A real driver keeps some of what
// it took beside, for kernels and graphs.
func TestCloseGivesBack(t *testing.T) {
	const large = 64 << 20
	other := drivertest.Open(t)
	before, err := other.FreeMem()
	must(t, err)
	kept := int64(large / 2)
	if strings.Contains(other.Info().Name, "emulated") {
		kept = 0
	}
	b := newBench(t)
	_, err = b.Alloc(large)
	must(t, err)
	g, err := b.work.Capture(func() error { return b.launch(2) })
	must(t, err)
	_, err = b.NewEvent(false)
	must(t, err)
	_, err = b.AllocMapped(8)
	must(t, err)
	must(t, b.work.Replay(g))
	if now, err := other.FreeMem(); err != nil || now > before-large {
		t.Fatalf("%d bytes are free, %d were before %d were allocated: %v", now, before, large, err)
	}
	must(t, b.Close())
	if now, err := other.FreeMem(); err != nil || now < before-kept {
		t.Errorf("%d bytes are free, want %d but for %d: %v", now, before, kept, err)
	}
	if b.host.Size() != 0 {
		t.Error("page-locked memory is left")
	}
}

func TestPinned(t *testing.T) {
	d := drivertest.Open(t)
	p, err := d.AllocPinned(10)
	must(t, err)
	if p.Size() != 10 || len(driver.View[byte](p)) != 10 || len(driver.View[float32](p)) != 2 {
		t.Errorf("%d bytes: views of %d bytes and %d float32", p.Size(), len(driver.View[byte](p)), len(driver.View[float32](p)))
	}
	s, err := d.NewStream()
	must(t, err)
	at, err := d.Alloc(16)
	must(t, err)
	for _, c := range [][2]int{{-1, 4}, {0, 11}, {8, 3}, {11, 0}, {0, -1}} {
		if err := s.Upload(at, p, c[0], c[1]); err == nil {
			t.Errorf("uploaded bytes %d to %d of 10", c[0], c[0]+c[1])
		}
		if err := s.Download(p, c[0], c[1], at); err == nil {
			t.Errorf("downloaded bytes %d to %d of 10", c[0], c[0]+c[1])
		}
	}
	must(t, s.Close())
	must(t, s.Close())
	must(t, p.Close())
	must(t, p.Close())
	if err := s.Upload(at, p, 0, 4); err == nil {
		t.Error("uploaded from memory that was freed")
	}
	if _, err := d.AllocPinned(0); err == nil {
		t.Error("allocated nothing")
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
