package main

import (
	"strings"

	"github.com/spf13/cobra"

	"edm/internal/cli"
	"edm/sample"
)

const long = `edm-sample draws images from a network that edm-train trained: one PNG file a
seed, and a grid of them all. Each file carries its seed and the sampler's
settings as text. An image depends on its own seed (and class) alone.

Flags may be spelt with dashes for underscores. "edm-sample completion --help"
sets up completion for your shell.`

const examples = `  edm-sample                                  the newest run's network, seeds 0-63
  edm-sample --network runs/00002-demo-... --seeds 0-15,100 --class 3
  edm-sample --network snapshot.safetensors --steps 40 --S_churn 40 --S_noise 1.003`

// newCommand returns the command; each has flags of its own.
func newCommand() *cobra.Command {
	o := defaultOptions()
	cmd := &cobra.Command{
		Use: "edm-sample", Short: "Draw images from a trained network", Long: long, Example: examples,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.autoGrid = !cmd.Flags().Changed("grid")
			if err := o.Validate(); err != nil {
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

// bind makes the flags set o.
func (o *options) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.network, "network", "", "snapshot `file`, or a run folder for its newest one (default: the newest of the newest run)")
	f.StringVar(&o.runs, "runs", o.runs, "`folder` of runs to look in when --network is not given")
	f.StringVar(&o.outdir, "outdir", o.outdir, "`folder` to write to")
	f.Var(&o.seeds, "seeds", "seeds, one an image: `numbers` and ranges like 1,2,5-10")
	f.BoolVar(&o.subdirs, "subdirs", false, "a folder for every 1000 seeds")
	f.StringVar(&o.class, "class", "", "`class` of all images, by number or name (default: drawn from each seed)")
	f.IntVar(&o.batch, "batch", o.batch, "`images` a pass over the network; changes speed and memory only")
	f.IntVar(&o.grid, "grid", 0, "`columns` of grid.png; 0 writes none (default: as square as can be)")
	f.IntVar(&o.threads, "threads", 0, "processor `threads` (default: all)")

	s := &o.sampler
	f.StringVar(&s.Solver, "solver", s.Solver, "`name` of the solver: "+strings.Join(sample.Solvers(), ", "))
	f.IntVar(&s.NumSteps, "steps", s.NumSteps, "sampling `steps`")
	f.Float64Var(&s.SigmaMin, "sigma_min", s.SigmaMin, "lowest noise `level`, in the units of the data ([-1, 1])")
	f.Float64Var(&s.SigmaMax, "sigma_max", s.SigmaMax, "noise `level` to start at, in the units of the data")
	f.Float64Var(&s.Rho, "rho", s.Rho, "`exponent` of the time steps (EDM Eq. 5)")
	f.Float64Var(&s.SChurn, "S_churn", s.SChurn, "`amount` of fresh noise over all steps (EDM Alg. 2) (default 0: deterministic)")
	f.Float64Var(&s.SMin, "S_min", s.SMin, "lowest noise `level` with fresh noise (default 0)")
	f.Float64Var(&s.SMax, "S_max", s.SMax, "highest noise `level` with fresh noise")
	f.Float64Var(&s.SNoise, "S_noise", s.SNoise, "standard `deviation` of the fresh noise")

	// These fail only for a flag that is not there.
	_ = cmd.MarkFlagFilename("network", "safetensors")
	_ = cmd.MarkFlagDirname("runs")
	_ = cmd.MarkFlagDirname("outdir")
	_ = cmd.RegisterFlagCompletionFunc("solver", cli.Choices(sample.Solvers()))
}
