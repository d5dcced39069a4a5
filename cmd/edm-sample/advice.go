package main

import (
	"errors"
	"fmt"

	"edm/model"
)

// advised adds to an error of the packages, which know no flags, the flag that may
// mend it.
func advised(err error) error {
	var memory *model.MemoryError
	switch {
	case errors.As(err, &memory) && memory.Fit > 0:
		return fmt.Errorf("%w\n  --batch %d may fit", err, memory.Fit)
	case errors.As(err, &memory):
		return fmt.Errorf("%w\n  --batch sets how many images pass the network at once", err)
	case errors.Is(err, model.ErrUnsupported):
		return fmt.Errorf("%w\n  --device cpu computes it", err)
	}
	return err
}
