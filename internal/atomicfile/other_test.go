//go:build !linux && !darwin

package atomicfile

import "fmt"

func platformHelper(role, _ string) error { return fmt.Errorf("unknown role %q", role) }
