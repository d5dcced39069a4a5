//go:build gpu

package driver

import "errors"

// held are what a device gave out and was not given back, with how to. They are
// used on the device's thread alone.
type held map[any]func() error

// keep notes an object by its handle.
func (h held) keep(handle any, back func() error) { h[handle] = back }

// drop forgets an object that was destroyed.
func (h held) drop(handle any) { delete(h, handle) }

// giveBack gives everything back. The context outlives a Device that shares it
// with another, and would keep it all.
func (h held) giveBack() error {
	var errs []error
	for _, back := range h {
		errs = append(errs, back())
	}
	clear(h)
	return errors.Join(errs...)
}
