// Package rules says which package of the project may import which, and why.
// The parts of the EDM paper (network, preconditioning, loss, schedule, solver)
// can be read, tested and replaced one at a time only while imports point one
// way; the package's test holds the source to these rules.
package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Module is the project's module path.
const Module = "edm"

// Rule lists the imports of the project that packages matching Package may have.
type Rule struct {
	// Package is a path below the module, as path.Match understands it.
	Package string
	// Any allows every import that no other package's isolation forbids.
	Any bool
	// Imports are the project's packages allowed, below the module.
	Imports []string
	// Gorgonia allows gorgonia.org/gorgonia and gorgonia.org/tensor.
	Gorgonia bool
	// Cgo allows import "C".
	Cgo bool
	// Why is the reason, printed with a violation.
	Why string
}

// All returns the rules. A package is held to the first that matches it.
func All() []Rule {
	return []Rule{
		{Package: "cmd/*", Any: true,
			Why: "a command turns flags into configurations and one call; everything below is its to use"},
		{Package: "bench/*", Any: true, Gorgonia: true,
			Why: "measurements look into every layer"},
		{Package: "train", Imports: []string{"loss", "model", "model/precond", "unet", "data", "data/augment", "checkpoints", "internal/rng", "checkpoints/safetensors", "internal/atomicfile"},
			Why: "the loop knows images, weights and losses; a graph library in it would tie the order of training to the way a network is built"},
		{Package: "sample", Imports: []string{"internal/rng", "model/noise", "model/precond"},
			Why: "a solver works on any denoiser (EDM Sec. 3 makes them independent of training), so it knows only the interface that it declares"},
		{Package: "sample/guide", Imports: []string{"sample"},
			Why: "guidance makes a denoiser of denoisers: any network and any sampler will do, so it sees neither"},
		{Package: "sample/generate", Imports: []string{"sample", "model", "internal/picture", "internal/rng"},
			Why: "seeds become pictures where a network, a sampler and pixels meet; commands and programs share it"},
		{Package: "sample/likelihood", Imports: []string{"sample", "internal/rng"},
			Why: "the likelihood needs a denoiser and its derivative, whichever network they come from"},
		{Package: "loss", Imports: []string{"internal/op", "internal/registry", "internal/rng", "model/noise", "model/precond"}, Gorgonia: true,
			Why: "the objective is graph nodes over a denoiser's output, whichever network made it"},
		{Package: "model", Imports: []string{"unet", "model/precond", "internal/engine", "internal/op", "internal/cpu", "internal/cuda", "internal/rng", "checkpoints/safetensors", "internal/sysmem"}, Gorgonia: true,
			Why: "the denoiser joins network, preconditioning and executor, chooses the device and reads snapshots; loss, training and sampling come after it"},
		{Package: "model/classifier", Imports: []string{"model", "model/precond", "unet", "internal/engine", "internal/op", "internal/rng", "checkpoints/safetensors", "internal/atomicfile"}, Gorgonia: true,
			Why: "a classifier of noisy images is a graph of its own with the denoisers' layout, device and optimiser; guidance knows it by an interface"},
		{Package: "model/noise",
			Why: "schedules and scalings are Table 1 of the paper in float64: formulas, checked without a graph"},
		{Package: "model/precond", Imports: []string{"internal/registry", "model/noise"},
			Why: "the preconditionings are Table 1 of the paper in float64: formulas, checked without a graph"},
		{Package: "unet", Imports: []string{"internal/op", "internal/rng"}, Gorgonia: true,
			Why: "a network is nodes and initial values; it does not know what it is trained for or what runs it"},
		{Package: "data", Imports: []string{"internal/rng"},
			Why: "datasets are images and labels, useful without a model"},
		{Package: "data/augment", Imports: []string{"internal/rng"},
			Why: "an augmentation is arithmetic on one image and its draws; which images there are is data's concern"},
		{Package: "checkpoints", Imports: []string{"internal/atomicfile", "checkpoints/safetensors"},
			Why: "files hold named tensors and metadata; what they mean is the caller's, so that every format of network can be saved"},
		{Package: "checkpoints/safetensors",
			Why: "a file format: named tensors and metadata, which everything that is saved has in common"},
		{Package: "internal/cli",
			Why: "what the commands share stands above the packages that it joins, and only commands import it"},
		{Package: "internal/registry",
			Why: "names of values in files; each package has its own registry"},
		{Package: "internal/lab", Imports: []string{"sample", "internal/gmm", "internal/markdown", "internal/picture"},
			Why: "the sampler lab tries samplers on any denoiser and on closed-form data; which network it is does not concern it"},
		{Package: "internal/benchmark", Imports: []string{"loss", "model", "model/precond", "unet", "internal/cpu", "internal/engine", "internal/op", "internal/rng", "checkpoints/safetensors", "internal/sysmem", "sample"}, Gorgonia: true,
			Why: "what is timed is a whole step, and its profile names the ops; only commands and measurements import it"},
		{Package: "internal/netpkl", Imports: []string{"checkpoints", "checkpoints/safetensors", "model", "model/precond", "unet"},
			Why: "published networks become snapshots in one place; what samples or trains sees snapshots only"},
		{Package: "internal/op", Imports: []string{"internal/ref", "internal/rng"}, Gorgonia: true,
			Why: "an op is a shape, a gradient and its definition in internal/ref; what runs it is not its concern"},
		{Package: "internal/engine", Imports: []string{"internal/op", "internal/ref", "internal/rng"}, Gorgonia: true,
			Why: "the executor plans any graph of ops and holds the portable backend, which runs their definitions; faster backends build on it, not the reverse"},
		{Package: "internal/cpu", Imports: []string{"internal/engine", "internal/op", "internal/ref", "internal/rng"},
			Why: "kernels see flat buffers; a graph type in them would bring the graph into the inner loops"},
		{Package: "internal/cuda", Imports: []string{"internal/cuda/driver", "internal/cuda/ptx", "internal/engine", "internal/op", "internal/ref", "internal/rng"},
			Why: "kernels see flat buffers; a graph type in them would bring the graph into the inner loops"},
		{Package: "internal/cuda/driver", Cgo: true,
			Why: "C stays behind one door: a device, its memory and its queues, which know nothing of what is computed"},
		{Package: "internal/testkit/drivertest", Imports: []string{"internal/cuda/driver"},
			Why: "the tests of every package that needs a device open it, or say that there is none, in one way"},
		{Package: "internal/cuda/*",
			Why: "leaves are for the packages above to use, so they use none"},
		{Package: "internal/testkit/gputest", Imports: []string{"model", "internal/testkit/drivertest"},
			Why: "test support: tests of whole programs ask it for the GPU"},
		{Package: "internal/testkit/detached", Imports: []string{"internal/engine"},
			Why: "test support: it stands in for a GPU's backend under whatever builds on one, so it uses the engine alone"},
		{Package: "internal/testkit/optest", Imports: []string{"internal/engine", "internal/op"}, Gorgonia: true,
			Why: "test support: the tests of every backend use its problems, so it uses no backend but the engine's portable one"},
		{Package: "internal/testkit/reference", Imports: []string{"checkpoints/safetensors"},
			Why: "test support: every package's tests use it, so it uses none of them"},
		{Package: "internal/ref",
			Why: "the definition of each op depends on nothing, so that any kernel can be compared with it"},
		{Package: "internal/rng",
			Why: "draws are a function of seed and counter alone, and every layer makes some"},
		{Package: "internal/*",
			Why: "leaves are for every layer to use, so they use none; a leaf that needs more gets a rule of its own"},
	}
}

// Find returns the rule of a package given below the module.
func Find(rules []Rule, pkg string) (Rule, bool) {
	for _, r := range rules {
		if ok, err := path.Match(r.Package, pkg); err == nil && ok {
			return r, true
		}
	}
	return Rule{}, false
}

// Check returns the fault of package pkg importing the path imported, or
// nil. Imports from outside the project other than Gorgonia and "C" are free.
func Check(rules []Rule, pkg, imported string) error {
	r, ok := Find(rules, pkg)
	if !ok {
		return fmt.Errorf("rules: no rule for package %s: add one, with its reason, to internal/rules", pkg)
	}
	below, own := strings.CutPrefix(imported, Module+"/")
	allowed := true
	switch {
	case own && (strings.HasPrefix(below, "cmd/") || strings.HasPrefix(below, "bench/")):
		return fmt.Errorf("rules: %s imports %s: nothing builds on a command or a measurement", pkg, imported)
	case own:
		allowed = r.Any || slices.Contains(r.Imports, below)
	case imported == "gorgonia.org/gorgonia" || imported == "gorgonia.org/tensor":
		allowed = r.Gorgonia
	case imported == "C":
		allowed = r.Cgo
	}
	if allowed {
		return nil
	}
	return fmt.Errorf("rules: %s must not import %s: %s", pkg, imported, r.Why)
}
