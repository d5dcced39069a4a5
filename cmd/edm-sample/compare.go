package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"edm/internal/lab"
	"edm/internal/picture"
	"edm/sample"
)

const (
	comparedSeeds = 8 // without --seeds
	sheetImages   = 3 // of a field of the picture
	singleSteps   = 4 // images that the errors of single steps are a mean over
)

// comparison is --compare: samplers side by side.
type comparison struct {
	lists   []string
	options lab.CompareOptions
	entries []lab.Entry
}

func (c *comparison) bind(f *pflag.FlagSet) {
	c.options = lab.DefaultCompareOptions()
	f.StringArrayVar(&c.lists, compareMode, nil, "compare `samplers` instead: a list like \"heun,dpmpp-2m,heun:alpha=0.5,disc=vp\"; may be repeated")
	f.Var((*intList)(&c.options.Budgets), "budgets", "with --compare, network evaluations: `numbers`")
	f.Var((*floatList)(&c.options.Tolerances), "tolerances", "with --compare, relative tolerances of adaptive solvers: `numbers`")
	f.IntVar(&c.options.ReferenceSteps, "reference_steps", c.options.ReferenceSteps, "with --compare, `steps` of Heun's method to compare with")
}

func (c *comparison) validate(common design) error {
	var err error
	c.entries, err = parseEntries(c.lists, common)
	if faults := c.options.Validate(); faults != nil {
		err = errors.Join(err, fmt.Errorf("--budgets, --tolerances, --reference_steps: %w", faults))
	}
	return err
}

// compareSamplers runs the comparison and writes its pictures and tables.
func (s *job) compareSamplers(ctx context.Context) error {
	out, err := newOutput("--outdir", s.outdir, false)
	if err != nil {
		return err
	}
	p, err := s.problem(s.seeds.values)
	if err != nil {
		return err
	}
	o := s.comparison.options
	fmt.Fprintf(s.stdout, "network %s\n%d images, seeds %s, against %d steps of Heun's method\n",
		s.network.path, len(p.Seeds), s.seeds.text, o.ReferenceSteps)
	if s.guidance.asked {
		fmt.Fprintln(s.stdout, s.guidance.String())
	}
	w := &watch{stderr: s.stderr}
	defer w.close()
	c, err := lab.Compare(ctx, p, s.comparison.entries, o, func(t lab.Trial) { w.say(t.String()) }, w.work)
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := c.WriteMarkdown(s.stdout); err != nil {
		return err
	}
	if err := s.writeComparison(out, c); err != nil {
		return err
	}
	return s.truncations(ctx, out, w)
}

// interrupted replaces the error of a run that was stopped.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted: its results were not written")
	}
	return err
}

// writeComparison writes the tables, the picture and the plot of errors.
func (s *job) writeComparison(out *output, c *lab.Comparison) error {
	files := []struct {
		name  string
		write func(io.Writer) error
	}{{"compare.csv", c.WriteCSV}, {"compare.md", c.WriteMarkdown}}
	for _, f := range files {
		if err := s.write(out, f.name, f.write); err != nil {
			return err
		}
	}
	sheet, err := c.Sheet(sheetImages, s.source.Image)
	if errors.Is(err, lab.ErrNothing) {
		fmt.Fprintln(s.stdout, err)
		return nil
	}
	if err != nil {
		return err
	}
	texts := append([]picture.Text{{Key: "seeds", Value: s.seeds.text}}, s.texts(sample.DefaultSettings())...)
	err = s.write(out, "compare.png", func(w io.Writer) error {
		return picture.Encode(w, picture.Paletted(sheet), withoutSampler(texts))
	})
	if err != nil {
		return err
	}
	plot, err := c.ErrorPlot()
	if errors.Is(err, lab.ErrNothing) {
		fmt.Fprintln(s.stdout, err)
		return nil
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.Trials, func(t lab.Trial) bool { return t.Stochastic }) {
		fmt.Fprintln(s.stdout, "stochastic samplers have no solution to be compared with: the plot of errors leaves them out")
	}
	return s.writeFigure(out, "error", plot)
}

// withoutSampler omits the texts that differ between the fields of a picture.
func withoutSampler(texts []picture.Text) []picture.Text {
	var left []picture.Text
	for _, t := range texts {
		if _, ok := settingByName(t.Key); !ok {
			left = append(left, t)
		}
	}
	return left
}

// truncations writes the plot of local errors, from the first few seeds.
func (s *job) truncations(ctx context.Context, out *output, w *watch) error {
	seeds := s.seeds.values
	p, err := s.problem(seeds[:min(len(seeds), singleSteps)])
	if err != nil {
		return err
	}
	o := sample.DefaultSettings()
	bySteps := []lab.Grid{{Steps: 8, Rho: o.Rho}, {Steps: 16, Rho: o.Rho}, {Steps: 32, Rho: o.Rho}}
	byRho := []lab.Grid{{Steps: 18, Rho: 3}, {Steps: 18, Rho: 5}, {Steps: 18, Rho: 7}, {Steps: 18, Rho: 10}}
	all, err := lab.Truncations(ctx, p, o, append(bySteps, byRho...), w.work)
	w.close()
	if err != nil {
		return interrupted(ctx, err)
	}
	first := 2 * len(bySteps) // both solvers' errors
	f, err := lab.TruncationPlot(all[:first], all[first:])
	if err != nil {
		return err
	}
	return s.writeFigure(out, "truncation", f)
}

func (s *job) writeFigure(out *output, name string, f *lab.Figure) error {
	if err := s.write(out, name+".png", f.WritePNG); err != nil {
		return err
	}
	return s.write(out, name+".svg", f.WriteSVG)
}

// write writes a file to the folder of images and says so.
func (s *job) write(out *output, name string, f func(io.Writer) error) error {
	path := filepath.Join(out.dir, name)
	if err := saveFile(path, f); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.stdout, "wrote", path)
	return err
}
