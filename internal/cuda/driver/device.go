//go:build gpu

package driver

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"gorgonia.org/cu"
)

// The least that a device must have.
const (
	// MinDriver is the least CUDA version of the driver, as the driver counts:
	// 1000 times the major version and 10 times the minor. NVIDIA's driver 525
	// is the first with CUDA 12.0.
	MinDriver = 12000
	// MinMajor is the least major number of the compute capability: Ampere's.
	MinMajor = 8
)

// DefaultShared is the dynamic shared memory of a block, in bytes, that a kernel
// may have without Function.AllowShared.
const DefaultShared = 48 << 10

// Info describes a device.
type Info struct {
	Ordinal         int
	Name            string
	Major, Minor    int   // compute capability
	Driver          int   // CUDA version of the driver, 12040 for 12.4
	TotalMem        int64 // bytes
	Multiprocessors int
	// MaxShared is the most dynamic shared memory that a block may have, in
	// bytes, for a kernel that asked by Function.AllowShared.
	MaxShared int
	// ClockRate is the highest clock of the multiprocessors, in kHz.
	ClockRate int
	// L2 is the size of the second-level cache, in bytes.
	L2 int
}

// String returns the device's name and capability, for people.
func (i Info) String() string {
	return fmt.Sprintf("cuda:%d %s (compute capability %d.%d, %d multiprocessors, %.1f GiB)",
		i.Ordinal, i.Name, i.Major, i.Minor, i.Multiprocessors, float64(i.TotalMem)/(1<<30))
}

// Device is one GPU with its primary context. Its methods may be called from any
// goroutine.
type Device struct {
	thread *thread
	info   Info
	device cu.Device
	held   held

	up, down atomic.Int64 // bytes copied from and to the host
}

// Count returns the number of CUDA devices, or why there can be none: no driver
// (ErrNoDriver), one that is too old (ErrOldDriver), one that found no device
// (ErrNoDevice).
func Count() (int, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return 0, fmt.Errorf("driver: count the CUDA devices: %w", wrap("cuDeviceGetCount", err))
	}
	if n == 0 {
		return 0, fmt.Errorf("driver: %w", ErrNoDevice)
	}
	return n, nil
}

// Open makes the device with the ordinal ready for use; Close it. Its errors say
// what is missing: those of Count, an ordinal without a device, or a device
// below compute capability 8.0 (ErrOldDevice).
func Open(ordinal int) (*Device, error) {
	n, err := Count()
	if err != nil {
		return nil, err
	}
	if ordinal < 0 || ordinal >= n {
		return nil, fmt.Errorf("driver: there is no CUDA device %d; the devices are %s", ordinal, names(n))
	}
	device, err := cu.GetDevice(ordinal)
	if err != nil {
		return nil, fmt.Errorf("driver: open CUDA device %d: %w", ordinal, wrap("cuDeviceGet", err))
	}
	info, err := query(ordinal, device)
	if err != nil {
		return nil, fmt.Errorf("driver: open CUDA device %d: %w", ordinal, err)
	}
	if err := checkCapability(info); err != nil {
		return nil, err
	}
	d := &Device{thread: newThread(), info: info, device: device, held: held{}}
	if err := d.Do(d.retain); err != nil {
		d.thread.stop()
		return nil, fmt.Errorf("driver: open CUDA device %d (%s): %w", ordinal, info.Name, err)
	}
	return d, nil
}

// retain makes the device's primary context current on the device's thread.
func (d *Device) retain() error {
	ctx, err := d.device.RetainPrimaryCtx()
	if err != nil {
		return wrap("cuDevicePrimaryCtxRetain", err)
	}
	if err := cu.SetCurrentContext(ctx); err != nil {
		return errors.Join(wrap("cuCtxSetCurrent", err), d.release())
	}
	return nil
}

// release gives the primary context back.
func (d *Device) release() error {
	return wrap("cuDevicePrimaryCtxRelease_v2", d.device.ReleasePrimaryCtx())
}

// Close waits for the device's work, gives back what the Device was not given
// back, then its context, and ends its thread. Another Device of the process may
// hold the same device, whose own things stay; Pinned memory must not be touched
// afterwards. Methods of a closed device return ErrClosed, Close too.
func (d *Device) Close() error {
	err := d.Do(func() error {
		err := wrap("cuCtxSynchronize", cu.Synchronize())
		if err == nil { // else nothing can be given back
			err = d.held.giveBack()
		}
		return errors.Join(err, d.release())
	})
	d.thread.stop()
	return err
}

// Do runs f on the device's thread, where the context is current, and returns
// its error. Called on that thread, which is to say inside another Do, it calls
// f. Goroutines take turns. f must not end its goroutine, so no t.Fatal in it.
func (d *Device) Do(f func() error) error { return d.thread.do(f) }

// Traffic returns how many bytes were copied to the device and back since it was
// opened, copies that are still queued included.
func (d *Device) Traffic() (up, down int64) { return d.up.Load(), d.down.Load() }

// Info describes the device.
func (d *Device) Info() Info { return d.info }

// FreeMem returns how many bytes of the device's memory are free.
func (d *Device) FreeMem() (int64, error) {
	var free int64
	err := d.Do(func() error {
		var err error
		free, _, err = cu.MemInfo()
		return wrap("cuMemGetInfo_v2", err)
	})
	return free, err
}

// Synchronize waits until everything that was queued on the device is done.
func (d *Device) Synchronize() error {
	return d.Do(func() error { return wrap("cuCtxSynchronize", cu.Synchronize()) })
}

// query reads the properties of the device.
func query(ordinal int, device cu.Device) (Info, error) {
	info := Info{Ordinal: ordinal, Driver: cu.Version()}
	var err error
	if info.Name, err = device.Name(); err != nil {
		return info, wrap("cuDeviceGetName", err)
	}
	if info.TotalMem, err = device.TotalMem(); err != nil {
		return info, wrap("cuDeviceTotalMem_v2", err)
	}
	for _, a := range []struct {
		to        *int
		attribute cu.DeviceAttribute
	}{
		{&info.Major, cu.ComputeCapabilityMajor},
		{&info.Minor, cu.ComputeCapabilityMinor},
		{&info.Multiprocessors, cu.MultiprocessorCount},
		{&info.MaxShared, maxSharedOptIn},
		{&info.ClockRate, cu.ClockRate},
		{&info.L2, cu.L2CacheSize},
	} {
		if *a.to, err = device.Attribute(a.attribute); err != nil {
			return info, wrap("cuDeviceGetAttribute", err)
		}
	}
	return info, nil
}

// checkCapability returns why such a device will not do, or nil.
func checkCapability(info Info) error {
	if info.Major < MinMajor {
		return fmt.Errorf("driver: CUDA device %d (%s) has compute capability %d.%d: %w",
			info.Ordinal, info.Name, info.Major, info.Minor, ErrOldDevice)
	}
	return nil
}

// names lists the devices 0 to n-1 for an error.
func names(n int) string {
	list := make([]string, n)
	for i := range list {
		name := "unknown"
		if device, err := cu.GetDevice(i); err == nil {
			if s, err := device.Name(); err == nil {
				name = s
			}
		}
		list[i] = fmt.Sprintf("%d (%s)", i, name)
	}
	return strings.Join(list, ", ")
}
