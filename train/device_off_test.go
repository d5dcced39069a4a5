//go:build !gpu

package train

import (
	"testing"

	"edm/model"
)

// gpus returns the devices of this build besides the processor.
func gpus(*testing.T) []*model.Device { return nil }
