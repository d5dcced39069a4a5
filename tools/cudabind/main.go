// Cudabind makes what the CUDA build needs and no toolkit is wanted for: a header
// and a library, both from the header that gorgonia.org/cu carries.
//
//	cudabind -cu DIR -calls DIR -out DIR
//
// It writes, below -out,
//
//	include/cuda.h    the driver API's types and functions, under their ABI names
//	lib/libcuda.a     a trampoline for each function that is called; they jump to
//	                  the driver found when the program starts
//	lib/trampolines.c the library's source
//	env.sh            the environment to build with: . env.sh && go build -tags gpu
//
// The header's text is NVIDIA's: it is made where it is used, never committed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	var c config
	flag.StringVar(&c.binding, "cu", "", "directory of gorgonia.org/cu, from go list -m -f {{.Dir}}")
	flag.StringVar(&c.calls, "calls", "", "directory of our own code that calls the driver")
	flag.StringVar(&c.out, "out", "", "directory to write to")
	flag.Parse()
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "cudabind:", err)
		os.Exit(1)
	}
}

// config has the values of the command line.
type config struct {
	binding string // directory of gorgonia.org/cu
	calls   string // directory of our own code that calls the driver
	out     string // directory to write to
}

// validate reports every fault at once.
func (c config) validate() error {
	var errs []error
	for _, f := range []struct{ name, value string }{{"-cu", c.binding}, {"-calls", c.calls}, {"-out", c.out}} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("%s: want a directory", f.name))
		}
	}
	if strings.ContainsAny(c.out, "'\"\\$`\n") {
		errs = append(errs, fmt.Errorf("-out: a compiler's flag cannot carry the quotes of %q", c.out))
	}
	return errors.Join(errs...)
}

// run writes everything.
func run(c config) error {
	if err := c.validate(); err != nil {
		return err
	}
	out, err := filepath.Abs(c.out)
	if err != nil {
		return err
	}
	source, err := os.ReadFile(filepath.Join(c.binding, "cmd", "genlib", "cuda.h"))
	if err != nil {
		return fmt.Errorf("read the binding's header: %w", err)
	}
	api, err := newAPI(string(source))
	if err != nil {
		return err
	}
	words, err := scan(c.binding, c.calls)
	if err != nil {
		return err
	}
	called := api.called(words)
	if len(called) == 0 {
		return fmt.Errorf("%s and %s call nothing of the driver", c.binding, c.calls)
	}
	b := build{out: out, header: api.header(), source: trampolines(called)}
	if err := b.write(); err != nil {
		return err
	}
	fmt.Printf("%d trampolines in %s\n", len(called), b.archive())
	return nil
}
