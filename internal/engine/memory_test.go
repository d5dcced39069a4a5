package engine

import (
	"testing"

	"pgregory.net/rapid"
)

// live is the greatest sum over steps of the blocks that are alive in one.
func TestLiveIsTheGreatestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const steps = 20
		var blocks []*block
		var sums [steps]int
		for range rapid.IntRange(0, 30).Draw(t, "blocks") {
			b := &block{size: rapid.IntRange(0, 300).Draw(t, "size"), first: rapid.IntRange(0, steps-1).Draw(t, "first")}
			b.last = rapid.IntRange(b.first, steps-1).Draw(t, "last")
			blocks = append(blocks, b)
			for i := b.first; i <= b.last; i++ {
				sums[i] += b.size
			}
		}
		want := 0
		for _, sum := range sums {
			want = max(want, sum)
		}
		if got := live(blocks, steps); got != want {
			t.Fatalf("live is %d, want %d", got, want)
		}
	})
}
