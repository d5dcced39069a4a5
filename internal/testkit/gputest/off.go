//go:build !gpu

package gputest

import (
	"testing"

	"edm/model"
)

// All returns the devices of this build besides the processor.
func All(testing.TB) []*model.Device { return nil }
