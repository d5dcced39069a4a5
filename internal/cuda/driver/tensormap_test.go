//go:build gpu

package driver

import (
	"errors"
	"strings"
	"testing"
)

// pixels is the map of packed pixels of 3 images of 9x7 with 72 channels, in boxes
// of 64 channels of 4x4 pixels.
func pixels() TensorMap {
	return TensorMap{
		Element: TensorBFloat16,
		Address: 1 << 20,
		Sizes:   []int64{72, 9, 7, 3},
		Strides: []int64{144, 144 * 9, 144 * 9 * 7},
		Box:     []int{64, 4, 4, 1},
		Swizzle: Swizzle128,
	}
}

func TestTensorMapChecks(t *testing.T) {
	if err := pixels().check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(m *TensorMap){
		"0 dimensions":               func(m *TensorMap) { m.Sizes = nil },
		"2 strides and a box of 4":   func(m *TensorMap) { m.Strides = m.Strides[:2] },
		"3 strides and a box of 3":   func(m *TensorMap) { m.Box = m.Box[:3] },
		"element type 0":             func(m *TensorMap) { m.Element = 0 },
		"address 0x100008":           func(m *TensorMap) { m.Address += 8 },
		"address 0x0":                func(m *TensorMap) { m.Address = 0 },
		"swizzle 4":                  func(m *TensorMap) { m.Swizzle = 4 },
		"size 0 of dimension 2":      func(m *TensorMap) { m.Sizes[2] = 0 },
		"box of 257 in dimension 1":  func(m *TensorMap) { m.Box[1] = 257 },
		"stride of 152 bytes":        func(m *TensorMap) { m.Strides[0] += 8 },
		"the dimensions within":      func(m *TensorMap) { m.Strides[1] -= 16 },
		"within take 288":            func(m *TensorMap) { m.Element = TensorFloat32 },
		"below 2^40":                 func(m *TensorMap) { m.Strides[2] = 1 << 40 },
		"box rows of 8 bytes":        func(m *TensorMap) { m.Box[0] = 4 },
		"with a swizzle of 128":      func(m *TensorMap) { m.Box[0] = 32 },
		"with a swizzle of 32: want": func(m *TensorMap) { m.Swizzle = Swizzle32 },
	} {
		m := pixels()
		change(&m)
		if err := m.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// tryTensorMap returns what becomes of a map, in a child of the test program.
func tryTensorMap(d *Device) error {
	m := pixels()
	first, err := d.EncodeTensorMap(m)
	if err != nil {
		return err
	}
	m.Address += 16
	second, err := d.EncodeTensorMap(m)
	if err == nil && second == first {
		return errors.New("the bytes do not depend on the address")
	}
	m.Box = nil
	if _, err := d.EncodeTensorMap(m); err == nil {
		return errors.New("a map without a box is encoded")
	}
	return err
}
