//go:build gpu

package driver_test

import (
	"errors"
	"strings"
	"testing"

	"edm/internal/cuda/driver"
	"edm/internal/cuda/ptx"
	"edm/internal/testkit/drivertest"
)

// bench is a device with a kernel that computes y = f x and memory for it.
type bench struct {
	*driver.Device
	n          int
	scale      *driver.Function
	x, y       uint64
	host       *driver.Pinned // n elements for x, then n from y
	in, out    []float32      // views of host
	work, copy *driver.Stream
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Device: drivertest.Open(t), n: 5000}
	var err error
	b.scale, err = load(t, b.Device, "pointwise").Function("scale")
	must(t, err)
	size := 4 * b.n
	b.x, err = b.Alloc(int64(size))
	must(t, err)
	b.y, err = b.Alloc(int64(size))
	must(t, err)
	b.host, err = b.AllocPinned(2 * size)
	must(t, err)
	view := driver.View[float32](b.host)
	b.in, b.out = view[:b.n], view[b.n:]
	b.work, err = b.NewStream()
	must(t, err)
	b.copy, err = b.NewStream()
	must(t, err)
	return b
}

// load loads a module of the project's.
func load(t *testing.T, d *driver.Device, name string) *driver.Module {
	t.Helper()
	text, err := ptx.Module(name, 10*d.Info().Major+d.Info().Minor, d.Info().Driver)
	must(t, err)
	m, err := d.LoadModule(name, text)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return m
}

// launch queues y = f x.
func (b *bench) launch(f float32) error {
	var a driver.Args
	a.Pointer(b.x)
	a.Pointer(b.y)
	a.Int64(int64(b.n))
	a.Float32(f)
	a.Pointer(0) // no mark
	return b.work.Launch(b.scale, [3]int{3, 1, 1}, [3]int{256, 1, 1}, 0, &a)
}

// set fills what is uploaded and spoils what is to be downloaded.
func (b *bench) set(first float32) {
	for i := range b.in {
		b.in[i] = first + float32(i)
		b.out[i] = -1
	}
}

func (b *bench) check(t *testing.T, first, f float32) {
	t.Helper()
	for i, got := range b.out {
		if want := f * (first + float32(i)); got != want {
			t.Fatalf("element %d: %v, want %v", i, got, want)
		}
	}
}

func TestStreamsAndEvents(t *testing.T) {
	b := newBench(t)
	uploaded, err := b.NewEvent(true)
	must(t, err)
	computed, err := b.NewEvent(true)
	must(t, err)
	for step := range 3 {
		first := float32(100 * step)
		b.set(first)
		must(t, b.copy.Upload(b.x, b.host, 0, 4*b.n))
		must(t, b.copy.Record(uploaded))
		must(t, b.work.Wait(uploaded))
		must(t, b.launch(2.5))
		must(t, b.work.Record(computed))
		must(t, b.copy.Wait(computed))
		must(t, b.copy.Download(b.host, 4*b.n, 4*b.n, b.y))
		must(t, b.copy.Synchronize())
		b.check(t, first, 2.5)
	}
	must(t, computed.Synchronize())
	if took, err := computed.Since(uploaded); err != nil || took < 0 {
		t.Errorf("from one event to the other: %v, %v", took, err)
	}
	must(t, uploaded.Close())
	must(t, uploaded.Close())
}

func TestStreamFillsAndCopies(t *testing.T) {
	b := newBench(t)
	must(t, b.work.Fill(b.x, 0x3f800000, int64(b.n)))
	must(t, b.launch(3))
	must(t, b.work.Copy(b.x, b.y+4, 4*int64(b.n-1)))
	must(t, b.work.Download(b.host, 0, 4*b.n, b.x))
	must(t, b.work.Synchronize())
	for i, got := range b.in {
		want := float32(3)
		if i == b.n-1 {
			want = 1
		}
		if got != want {
			t.Fatalf("element %d: %v, want %v", i, got, want)
		}
	}
}

// The synchronous calls wait for what streams were given before.
func TestSynchronousCallsWait(t *testing.T) {
	b := newBench(t)
	b.set(7)
	must(t, b.copy.Upload(b.x, b.host, 0, 4*b.n))
	must(t, b.copy.Synchronize())
	must(t, b.launch(2))
	must(t, driver.Download(b.Device, b.out, b.y))
	b.check(t, 7, 2)
	must(t, b.launch(3))
	must(t, b.Fill(b.x, 0, int64(b.n)))
	must(t, b.work.Download(b.host, 4*b.n, 4*b.n, b.y))
	must(t, b.Synchronize())
	b.check(t, 7, 3)
}

// A graph runs again and again, on what lies in memory then.
func TestGraph(t *testing.T) {
	b := newBench(t)
	b.set(1)
	g, err := b.work.Capture(func() error {
		return errors.Join(
			b.work.Upload(b.x, b.host, 0, 4*b.n),
			b.launch(2),
			b.work.Download(b.host, 4*b.n, 4*b.n, b.y))
	})
	must(t, err)
	if g.Nodes() != 3 {
		t.Errorf("%d nodes, want 3", g.Nodes())
	}
	if b.out[0] != -1 {
		t.Error("capturing did the work")
	}
	for step := range 3 {
		first := float32(10 * step)
		b.set(first)
		must(t, b.work.Replay(g))
		must(t, b.work.Synchronize())
		b.check(t, first, 2)
	}
	must(t, g.Close())
	must(t, g.Close())
}

// A capture that fails leaves the stream as it was.
func TestCaptureFails(t *testing.T) {
	b := newBench(t)
	wrong := errors.New("the recording's own")
	g, err := b.work.Capture(func() error { return errors.Join(b.launch(2), wrong) })
	if g != nil || !errors.Is(err, wrong) {
		t.Errorf("graph %v, error %v", g, err)
	}
	if _, err := b.work.Capture(b.work.Synchronize); err == nil {
		t.Error("captured a wait")
	}
	b.set(4)
	must(t, b.work.Upload(b.x, b.host, 0, 4*b.n))
	must(t, b.launch(3))
	must(t, b.work.Download(b.host, 4*b.n, 4*b.n, b.y))
	must(t, b.work.Synchronize())
	b.check(t, 4, 3)
}

func TestBadModules(t *testing.T) {
	d := drivertest.Open(t)
	_, err := d.LoadModule("broken", ".version 7.0\n.target sm_80\n.address_size 64\nthis is not PTX\n")
	var failed *driver.Error
	if !errors.As(err, &failed) || failed.Call != "cuModuleLoadDataEx" {
		t.Fatalf("load what is not PTX: %v", err)
	}
	head, log, _ := strings.Cut(err.Error(), "\n")
	if !strings.Contains(head, "load module broken on "+d.Info().Name) || log == "" || strings.Contains(log, "no log") {
		t.Errorf("%v: want the module, the device, and the compiler's log", err)
	}
	if _, err = load(t, d, "pointwise").Function("nothing"); !errors.Is(err, driver.NotFound) {
		t.Errorf("a kernel that is not there: %v", err)
	}
	if !strings.Contains(err.Error(), "kernel nothing of module pointwise") {
		t.Errorf("%v: want the kernel and the module", err)
	}
}

func TestLaunchesThatCannotBe(t *testing.T) {
	b := newBench(t)
	one := [3]int{1, 1, 1}
	for _, c := range []struct {
		grid, block [3]int
		shared      int
	}{
		{[3]int{0, 1, 1}, one, 0}, {[3]int{1, 65536, 1}, one, 0}, {[3]int{1, 1, 65536}, one, 0},
		{one, [3]int{1025, 1, 1}, 0}, {one, [3]int{1, 1, 65}, 0}, {one, [3]int{32, 33, 1}, 0}, {one, [3]int{32, 0, 1}, 0},
		{one, one, -1}, {one, one, driver.DefaultShared + 1},
	} {
		err := b.work.Launch(b.scale, c.grid, c.block, c.shared, &driver.Args{})
		if err == nil || !strings.Contains(err.Error(), "pointwise.scale") {
			t.Errorf("%+v: %v, want an error that names the kernel", c, err)
		}
	}
}

func TestSharedMemory(t *testing.T) {
	d := drivertest.Open(t)
	sum, err := load(t, d, "optimiser").Function("sum_squares")
	must(t, err)
	if err := sum.AllowShared(d.Info().MaxShared + 1); err == nil {
		t.Error("more shared memory than a block has")
	}
	must(t, sum.AllowShared(99<<10))
	must(t, sum.AllowShared(1)) // takes nothing back
	x, err := d.Alloc(4 * 1000)
	must(t, err)
	y, err := d.Alloc(8)
	must(t, err)
	must(t, d.Fill(x, 0x40000000, 1000)) // twos
	s, err := d.NewStream()
	must(t, err)
	var a driver.Args
	a.Pointer(x)
	a.Pointer(y)
	a.Int64(1000)
	a.Pointer(0) // no mark
	must(t, s.Launch(sum, [3]int{1, 1, 1}, [3]int{256, 1, 1}, 99<<10, &a))
	must(t, s.Synchronize())
	got := []float64{0}
	must(t, driver.Download(d, got, y))
	if got[0] != 4000 {
		t.Errorf("sum of squares %v, want 4000", got[0])
	}
	u, err := sum.Usage()
	must(t, err)
	if u.Registers < 1 || u.MaxThreads < 256 || u.Local < 0 {
		t.Errorf("usage %+v", u)
	}
}
