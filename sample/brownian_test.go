package sample

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestBrownianPath: whatever the order in which points are asked for, refused and
// passed, the changes of W between them are independent and have the variance of
// their distance. It is exact: each draw is a direction of its own, so that the
// products of changes are their covariances.
func TestBrownianPath(t *testing.T) {
	const attempts = 12
	rapid.Check(t, func(t *rapid.T) {
		path := &brownianPath{v: 100}
		var changes [][]float64
		var spans []float64
		for k := range attempts {
			normals := make([]float64, attempts)
			normals[k] = 1
			v := path.v * rapid.Float64Range(0.05, 0.95).Draw(t, "how far")
			if len(path.knots) > 0 && rapid.Bool().Draw(t, "to a known point") {
				v = rapid.SampledFrom(path.knots).Draw(t, "point").v
			}
			n := path.reveal(v, normals)
			if path.knots[n-1].v != v {
				t.Fatalf("point %d is at %g, want %g", n-1, path.knots[n-1].v, v)
			}
			if rapid.Bool().Draw(t, "accept") {
				change := make([]float64, attempts)
				path.change(change, n)
				changes, spans = append(changes, change), append(spans, path.v-v)
				path.pass(n)
				if path.v != v {
					t.Fatalf("the path stands at %g, want %g", path.v, v)
				}
			}
		}
		for i := range changes {
			for j := range i + 1 {
				want := 0.0
				if i == j {
					want = spans[i]
				}
				got := 0.0
				for k := range attempts {
					got += changes[i][k] * changes[j][k]
				}
				if !(math.Abs(got-want) <= 1e-10*math.Sqrt(spans[i]*spans[j])) {
					t.Fatalf("covariance of changes %d and %d is %g, want %g", i, j, got, want)
				}
			}
		}
	})
}
