package data

import (
	"runtime"
	"sync"
)

// eachRange calls f on ranges that cover 0..n-1, several at once, and returns
// the error of the lowest range that failed. f must report the first fault of
// its range, so that the answer does not depend on the number of processors.
func eachRange(n int, f func(lo, hi int) error) error {
	workers := max(min(runtime.GOMAXPROCS(0), n), 1)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = f(w*n/workers, (w+1)*n/workers) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
