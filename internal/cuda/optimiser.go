//go:build gpu

package cuda

// A part of a sum of squares has at least squaresPart elements, and there are at
// most squaresParts of them: both are part of the result.
const (
	squaresPart  = 16 << 10
	squaresParts = 1024
)

// flatLaunch launches a kernel of optimiser.cu in the given number of blocks.
func flatLaunch(name string, blocks, shared int, args ...any) launch {
	return launch{
		module: "optimiser", name: name,
		grid: [3]int{blocks, 1, 1}, block: [3]int{mapThreads, 1, 1},
		shared: shared, args: args,
	}
}

// adamLaunch advances n weights, their average and moments by one step along g.
// control holds nine float32: the gradient's scale, beta1, 1-beta1, beta2,
// 1-beta2, the step size lr/(1-beta1^t), 1/sqrt(1-beta2^t), epsilon and the weight
// of the old average.
func adamLaunch(w, ema, m, v, g, control pointer, n int) []launch {
	blocks := min(max(parts(n, quad*mapThreads), 1), mapBlocks)
	return []launch{flatLaunch("adam", blocks, 0, w, ema, m, v, g, control, int64(n))}
}

// sumSquaresPartials returns the float64 numbers of scratch memory that
// sumSquaresLaunches wants for n elements.
func sumSquaresPartials(n int) int { return min(max(parts(n, squaresPart), 1), squaresParts) }

// sumSquaresLaunches writes the sum of squares of the n float32 at x to result, a
// float64. It is not finite if, and practically only if, an element is not:
// squares of float32 do not overflow.
func sumSquaresLaunches(x, partial, result pointer, n int) []launch {
	blocks := sumSquaresPartials(n)
	shared := 8 * mapThreads / 32
	return []launch{
		flatLaunch("sum_squares", blocks, shared, x, partial, int64(n)),
		flatLaunch("sum_partials", 1, shared, partial, result, int32(blocks)),
	}
}

// accumulateLaunch adds the n elements of x to y.
func accumulateLaunch(y, x pointer, n int) []launch {
	if n == 0 {
		return nil
	}
	return []launch{mapLaunch("add", 1, n, mapHeld, y, x, y, int64(n))}
}
