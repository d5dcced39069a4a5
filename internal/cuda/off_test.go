//go:build !gpu

package cuda

import (
	"strings"
	"testing"
)

// A build without CUDA says how to get one with it, and finds no device by
// itself.
func TestBuiltWithout(t *testing.T) {
	if b, err := Open(0, FP32); b != nil || err == nil || !strings.Contains(err.Error(), "make cuda") {
		t.Errorf("opened %v, %v", b, err)
	}
	if b, found, err := OpenFirst(FP32); b != nil || found || err != nil {
		t.Errorf("found %v, %v, %v", b, found, err)
	}
}
