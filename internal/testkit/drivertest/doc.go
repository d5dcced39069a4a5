// Package drivertest opens the device that tests run on. With the build tag gpu
// alone: without it there is none.
package drivertest
