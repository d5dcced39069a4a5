package data

import "testing"

func TestSplitPartitions(t *testing.T) {
	ds, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	rest, held, err := Split(ds, 100)
	if err != nil {
		t.Fatal(err)
	}
	if rest.Len() != ds.Len()-100 || held.Len() != 100 {
		t.Fatalf("%d + %d images of %d", rest.Len(), held.Len(), ds.Len())
	}
	seen := make([]bool, ds.Len())
	for _, part := range []Dataset{rest, held} {
		for _, i := range part.(*subset).index {
			if seen[i] {
				t.Fatalf("image %d occurs twice", i)
			}
			seen[i] = true
		}
	}
	for _, n := range []int{0, -1, ds.Len(), ds.Len() + 1} {
		if _, _, err := Split(ds, n); err == nil {
			t.Errorf("holding out %d of %d images was accepted", n, ds.Len())
		}
	}
}
