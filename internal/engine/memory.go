package engine

// LiveBytes returns the least memory that any placement of the program's
// values could do with: the maximum over its steps of the bytes that are alive,
// scratch memory and pieces included, values that share memory counted once.
func (p *Program) LiveBytes() int64 {
	return int64(live(p.blocks().all, len(p.Steps))) * int64(p.DType.Size())
}

// live returns the maximum over steps of the elements of the blocks alive.
func live(blocks []*block, steps int) int {
	change := make([]int, steps+1)
	for _, b := range blocks {
		change[b.first] += b.size
		change[b.last+1] -= b.size
	}
	now, most := 0, 0
	for _, c := range change {
		now += c
		most = max(most, now)
	}
	return most
}
