package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/pflag"

	"edm/internal/lab"
)

// toy is --toy: figures of the ODE on data with a known score.
type toy struct{ kind string }

func (t *toy) bind(f *pflag.FlagSet) {
	f.StringVar(&t.kind, toyMode, "", "write a `figure` of the ODE on data with a known score instead: 1d (EDM Fig. 3) or 2d")
}

func (t *toy) validate() error {
	if t.kind != "1d" && t.kind != "2d" {
		return fmt.Errorf("--toy is %q, want 1d or 2d", t.kind)
	}
	return nil
}

// run writes toy-1d.png or toy-2d.png to a folder.
func (t *toy) run(ctx context.Context, dir string, stdout io.Writer) error {
	out, err := newOutput("--outdir", dir, false)
	if err != nil {
		return err
	}
	draw := lab.Toy1D
	if t.kind == "2d" {
		draw = lab.Toy2D
	}
	figure, err := draw(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(out.dir, "toy-"+t.kind+".png")
	if err := saveFile(path, figure.WritePNG); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "figure %s\n", path)
	return nil
}
