package data

import (
	"fmt"
	"sync"
)

// maxStatsImages is how many images are enough for Stats.
const maxStatsImages = 10000

// Stats returns the mean and the standard deviation of all values of all
// channels of the images, in the units of training ([-1, 1]). The standard
// deviation is the sigma_data of EDM Table 1 as measured; the paper uses 0.5.
// From more than 10,000 images it takes 10,000, evenly spaced.
func Stats(ds Dataset) (mean, std float64, err error) {
	if err := check(ds); err != nil {
		return 0, 0, fmt.Errorf("data: stats: %w", err)
	}
	hist, err := histogram(ds, min(ds.Len(), maxStatsImages))
	if err != nil {
		return 0, 0, err
	}
	m := moments(hist)
	return m.Mean, m.Std, nil
}

// histogram counts the values of n evenly spaced images. Counts are exact, so
// the order of the work does not matter.
func histogram(ds Dataset, n int) (total [256]int64, err error) {
	var mu sync.Mutex
	err = eachRange(n, func(lo, hi int) error {
		var hist [256]int64
		image := make([]uint8, ds.Shape().Len())
		for k := lo; k < hi; k++ {
			if err := ds.Image(int(int64(k)*int64(ds.Len())/int64(n)), image); err != nil {
				return err
			}
			for _, v := range image {
				hist[v]++
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for v, c := range hist {
			total[v] += c
		}
		return nil
	})
	return total, err
}
