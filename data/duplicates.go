package data

import (
	"bytes"
	"cmp"
	"context"
	"hash/fnv"
	"slices"
)

func hash(image []uint8) uint64 {
	h := fnv.New64a()
	h.Write(image)
	return h.Sum64()
}

// duplicates counts the images that are equal to one before them. Only images
// of equal hash are read again and compared.
func duplicates(ctx context.Context, ds Dataset, hashes []uint64) (int, error) {
	order := make([]int32, len(hashes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(hashes[a], hashes[b]), cmp.Compare(a, b))
	})
	n := 0
	image := make([]uint8, ds.Shape().Len())
	for len(order) > 0 {
		same := 1
		for same < len(order) && hashes[order[same]] == hashes[order[0]] {
			same++
		}
		group := order[:same]
		order = order[same:]
		if same == 1 {
			continue
		}
		var kinds [][]uint8 // one, but for a collision of hashes
		for _, i := range group {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			if err := ds.Image(int(i), image); err != nil {
				return 0, err
			}
			if slices.ContainsFunc(kinds, func(k []uint8) bool { return bytes.Equal(k, image) }) {
				n++
			} else {
				kinds = append(kinds, slices.Clone(image))
			}
		}
	}
	return n, nil
}
