package cpu

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"edm/internal/testkit/optest"
)

// fenced returns a copy of x whose end, or with front whose beginning, is next
// to a page that faults when it is read or written.
func fenced(t *testing.T, x []float32, front bool) []float32 {
	t.Helper()
	if len(x) == 0 {
		return x
	}
	page := syscall.Getpagesize()
	size := roundUp(len(x)*4, page)
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, fence := range [][]byte{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	at := page + size - len(x)*4
	if front {
		at = page
	}
	y := unsafe.Slice((*float32)(unsafe.Pointer(&all[at])), len(x))
	copy(y, x)
	return y
}

// TestNothingOutsideIsTouched runs the kernels on operands, results and scratch
// memory that end, or begin, at pages that fault: assembly that reads or writes
// beside them ends the test.
func TestNothingOutsideIsTouched(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *Backend) {
		cases := append(allCases(t, 2, 8, 5, 7), allCases(t, 1, 20, 4, 17)...)
		for _, s := range blockedConvs {
			for _, p := range optest.ConvProblems(t, s[0], s[1], s[2], s[3], s[4], s[5], true) {
				cases = append(cases, optest.Case{Problem: p})
			}
		}
		for _, c := range cases {
			want := c.Run(t, b)
			for _, front := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/front=%v", c, front), func(t *testing.T) {
					k, a := c.Prepare(t, b)
					a.In = slices.Clone(a.In)
					for i := range a.In {
						a.In[i].F32 = fenced(t, a.In[i].F32, front)
					}
					a.Out.F32, a.Work.F32 = fenced(t, a.Out.F32, front), fenced(t, a.Work.F32, front)
					k.Run(a)
					optest.SameBits(t, c.String(), a.Out.F32, want)
				})
			}
		}
	})
}
