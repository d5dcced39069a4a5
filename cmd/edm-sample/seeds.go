package main

import (
	"fmt"
	"strconv"
	"strings"
)

// maxSeeds bounds one call: a slip like 0-1e18 is found before it fills memory.
const maxSeeds = 1_000_000

// seedList is the value of --seeds: distinct seeds in the order given.
type seedList struct {
	text   string
	values []uint64
}

// upTo makes the list the seeds from 0 on, n of them.
func (l *seedList) upTo(n uint64) {
	l.text, l.values = fmt.Sprintf("0-%d", n-1), nil
	for seed := range n {
		l.values = append(l.values, seed)
	}
}

// String returns the list as it was given.
func (l *seedList) String() string { return l.text }

// Type returns the word that the help text has for the value.
func (l *seedList) Type() string { return "numbers" }

// Set parses numbers and ranges, such as 1,2,5-10. A seed that comes again is
// left out: it would be the same image.
func (l *seedList) Set(text string) error {
	var values []uint64
	seen := map[uint64]bool{}
	for part := range strings.SplitSeq(text, ",") {
		first, last, err := seedRange(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		if last-first >= maxSeeds || len(values)+int(last-first) >= maxSeeds {
			return fmt.Errorf("more than %d seeds: use several calls", maxSeeds)
		}
		for i := range last - first + 1 {
			if seed := first + i; !seen[seed] {
				seen[seed] = true
				values = append(values, seed)
			}
		}
	}
	l.text, l.values = text, values
	return nil
}

// seedRange returns the ends of "7" or "5-10".
func seedRange(part string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(part, "-")
	if first, err = strconv.ParseUint(from, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("%q is no seed: want numbers from 0 on and ranges, like 1,2,5-10", part)
	}
	if !isRange {
		return first, first, nil
	}
	if last, err = strconv.ParseUint(to, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("%q is no range of seeds: want one like 5-10", part)
	}
	if last < first {
		return 0, 0, fmt.Errorf("range %q is empty: want the smaller number first", part)
	}
	return first, last, nil
}
