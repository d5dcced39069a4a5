// Package cli has the parts that the project's commands share: exit statuses, signals,
// progress on a terminal and off, and drawing images from a trained denoiser.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit statuses of the commands.
const (
	ExitOK          = 0
	ExitFailure     = 1   // something went wrong
	ExitUsage       = 2   // the command line or the configuration makes no sense
	ExitInterrupted = 130 // left at once on a second signal
)

// usageError marks an error as the caller's of the command.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage marks err, which may be nil, as an error of usage: a flag, an argument
// or a configuration that makes no sense, whatever the machine.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// Usagef is Usage of a new error.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// ExitCode returns the exit status for a command's error.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &usageError{}):
		return ExitUsage
	}
	return ExitFailure
}

// Main runs a command for its main function and returns the exit status. The
// first SIGINT or SIGTERM cancels the command's context; the second ends the
// process at once.
func Main(root *cobra.Command) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go watch(signals, cancel, root.ErrOrStderr(), os.Exit)
	return Run(ctx, root)
}

// watch cancels on the first signal and exits on the second.
func watch(signals <-chan os.Signal, cancel func(), stderr io.Writer, exit func(int)) {
	s := <-signals
	cancel()
	fmt.Fprintf(stderr, "\n%v: stopping cleanly; once more to leave at once\n", s)
	<-signals
	exit(ExitInterrupted)
}

// Run executes the command, prints its error to the error stream and returns the exit
// status.
func Run(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	code := ExitCode(err)
	if err != nil {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %v\n", root.Name(), err)
	}
	if code == ExitUsage {
		fmt.Fprintf(root.ErrOrStderr(), "%s --help lists the flags\n", root.Name())
	}
	return code
}

// Prepare makes root report faults as the project's commands do: flags and
// arguments that make no sense are errors of usage, and printing them is left
// to Run. spell gives every flag's name from how it may be spelt.
func Prepare(root *cobra.Command, spell func(name string) string) {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Usage(err) })
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return Usagef("unexpected argument %q: want flags only; a switch takes its value after =, as in --flag=false", args[0])
		}
		return nil
	}
	root.Flags().SortFlags = false
	root.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(spell(name))
	})
}

// Choices returns a completion of a flag's value from fixed words.
func Choices(words []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// Bytes returns a size in words, in binary units.
func Bytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, u := float64(n), 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[u]
}
