//go:build gpu

package driver

// #include "extra.h"
import "C"

import "gorgonia.org/cu"

// maxSharedOptIn is the attribute that Info.MaxShared comes from.
const maxSharedOptIn cu.DeviceAttribute = C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN

// threadID tells the operating-system threads apart.
func threadID() uintptr { return uintptr(C.edm_thread_id()) }
