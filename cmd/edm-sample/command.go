package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edm/internal/cli"
	"edm/model"
	"edm/sample"
)

const long = `edm-sample draws images from a network that edm-train trained, or from one of the
published network pickles: one PNG file a seed, and a grid of them all. Each file
carries its seed and the sampler's settings as text. An image depends on its own
seed (and class) alone.

The sampler is a solver, a placement of the steps (--disc), a noise schedule
(--schedule), a scaling (--scaling) and their constants. What is left out has the
value published for the solver and for the steps; what a solver has no use for is
an error.

Instead of drawing images the command can change one (--edit, --inpaint), animate
one (--trajectory), compare samplers (--compare), measure likelihoods
(--likelihood), find latents (--invert), and draw figures of the ODE (--toy).

Flags may be spelt with dashes for underscores. "edm-sample completion --help"
sets up completion for your shell.

Solvers, with the order of their error where they can be deterministic:
`

const examples = `  edm-sample                                  the newest run's network, seeds 0-63
  edm-sample --network runs/00002-demo-... --seeds 0-15,100 --class 3
  edm-sample --network snapshot.safetensors --steps 40 --S_churn 40 --S_noise 1.003
  edm-sample --network edm-cifar10-32x32-cond-vp.pkl --solver dpmpp-2m --nfe 20
  edm-sample --guidance 2 --class 5 --solver heun --disc vp --alpha 0.5
  edm-sample --compare "heun,dpmpp-2m,heun:alpha=0.5" --budgets 8,16,32 --outdir compared
  edm-sample --trajectory way.gif --seeds 7
  edm-sample --likelihood demo --count 100`

// newCommand returns the command; each has flags of its own.
func newCommand() *cobra.Command {
	o := defaultOptions()
	cmd := &cobra.Command{
		Use: "edm-sample", Short: "Draw images from a trained network", Long: long + solverList(), Example: examples,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var given []string
			cmd.Flags().Visit(func(f *pflag.Flag) { given = append(given, f.Name) })
			if err := o.Validate(cmd.Flags().Changed, given); err != nil {
				return cli.Usage(err)
			}
			return run(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cli.Prepare(cmd, spell)
	o.bind(cmd)
	return cmd
}

// spell takes dashes for the underscores of the published names.
func spell(name string) string { return strings.ReplaceAll(name, "-", "_") }

// solverList returns a line for every solver.
func solverList() string {
	var b strings.Builder
	for _, name := range sample.Solvers() {
		info, err := sample.Describe(name)
		if err != nil {
			continue
		}
		order := "-"
		if info.Order > 0 {
			order = fmt.Sprintf("%g", info.Order)
		}
		fmt.Fprintf(&b, "  %-20s %-3s  %s\n", name, order, info.About)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// bind makes the flags set o.
func (o *options) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.networkPath, "network", "", "snapshot `file`, a run folder for its newest one, or a network pickle (.pkl) (default: the newest of the newest run)")
	f.StringVar(&o.runs, "runs", o.runs, "`folder` of runs to look in when --network is not given")
	f.StringVar(&o.outdir, "outdir", o.outdir, "`folder` to write to")
	f.Var(&o.seeds, "seeds", fmt.Sprintf("seeds, one an image: `numbers` and ranges like 1,2,5-10; where images are not just drawn 0-%d", comparedSeeds-1))
	f.BoolVar(&o.subdirs, "subdirs", false, "a folder for every 1000 seeds")
	f.StringVar(&o.class, "class", "", "`class` of all images, by number or name (default: drawn from each seed)")
	f.IntVar(&o.batch, "batch", o.batch, "`images` a pass over the network; changes speed and memory only")
	f.IntVar(&o.grid, "grid", 0, "`columns` of grid.png; 0 writes none (default: as square as can be)")
	f.IntVar(&o.threads, "threads", 0, "processor `threads` (default: all)")
	f.StringVar(&o.device, "device", o.device, "`name` of what computes: auto, the first GPU that will do or else the processor; cpu; cuda, or cuda:N by number")
	f.StringVar(&o.precision, "precision", o.precision, "`name` of how a GPU computes products: fp32, tf32 or bf16; weights and sums are float32 in all")
	o.asked.bind(f)
	f.IntVar(&o.nfe, "nfe", 0, "network `evaluations` an image, of which to make as many steps as they allow, instead of --steps")
	o.guidance.bind(f)
	o.edit.bind(f)
	o.inpaint.bind(f)
	o.trajectory.bind(f)
	o.comparison.bind(f)
	o.density.bind(f)
	o.toy.bind(f)
	complete(cmd)
}

// complete registers the completion of values. It fails only for a flag that is
// not there.
func complete(cmd *cobra.Command) {
	for flag, words := range map[string][]string{
		solverName: sample.Solvers(), discName: sample.Discretizations(),
		"schedule": sample.Schedules(), "scaling": sample.Scalings(), toyMode: {"1d", "2d"},
		"device": {model.AnyDevice, model.CPUDevice, model.CUDADevice}, "precision": model.Precisions(),
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cli.Choices(words))
	}
	for _, flag := range []string{"network", "guide"} {
		_ = cmd.MarkFlagFilename(flag, "safetensors", "pkl")
	}
	for _, flag := range []string{editMode, inpaintMode, "mask"} {
		_ = cmd.MarkFlagFilename(flag, "png", "jpg", "jpeg")
	}
	_ = cmd.MarkFlagFilename(trajectoryMode, "gif", "png", "apng")
	_ = cmd.MarkFlagDirname("runs")
	_ = cmd.MarkFlagDirname("outdir")
}
