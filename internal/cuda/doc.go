// Package cuda runs compiled programs on an NVIDIA GPU with the project's own
// kernels. It is an engine.Backend that is also an engine.Executor, an
// engine.Memory and an engine.Updater, and an engine.Planner and engine.Meter.
//
// A program has one arena in device memory. Its inputs and outputs are used in
// place where the caller's slices are mirrored, which those of weights,
// gradients and moments are; others pass through page-locked memory, on a stream
// of their own. Images and noise of training are made on the device, of bytes and
// of image numbers (engine.Feeder). The first run of a program starts its kernels
// one by one and checks each, so that a fault names its kernel and operation; then
// they are captured into a CUDA graph that later runs replay, whose kernels tell
// the host when they begin.
//
// Files that need CUDA have the build tag gpu. Without it Open names the build to use.
package cuda

// The names of precisions: how products of matrices are computed. All else,
// weights and sums included, is float32 in all of them.
const (
	FP32 = "fp32" // IEEE float32 multiply-adds
	TF32 = "tf32" // tensor cores, factors rounded to tf32
	BF16 = "bf16" // tensor cores, factors rounded to bfloat16
)

// Precisions returns the names of all precisions.
func Precisions() []string { return []string{FP32, TF32, BF16} }
