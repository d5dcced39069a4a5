package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"

	"edm/data"
	"edm/internal/cli"
	"edm/train"
)

// execute runs the command and returns its exit status and what it printed.
func execute(args ...string) (code int, stdout, stderr string) {
	cmd := newCommand()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	code = cli.Run(context.Background(), cmd)
	return code, out.String(), errs.String()
}

// parse returns the request of a command line.
func parse(t *testing.T, args ...string) *request {
	t.Helper()
	r := &request{outdir: "runs", preset: "demo"}
	cmd := &cobra.Command{Use: "edm-train"}
	cli.Prepare(cmd, spell)
	r.bind(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	r.changed, r.given = cmd.Flags().Changed, given(cmd.Flags())
	return r
}

// resolve returns the configuration of a command line.
func resolve(t *testing.T, args ...string) (train.Config, error) {
	t.Helper()
	c, ds, err := parse(t, args...).resolve(context.Background())
	if err == nil {
		t.Cleanup(func() {
			if err := data.Close(ds); err != nil {
				t.Error(err)
			}
		})
	}
	return c, err
}

// tinyFlags train a network of a few thousand parameters for two steps on 64
// images of 8x8 pixels.
func tinyFlags(t *testing.T, outdir string) []string {
	return []string{
		"--data", writeIDX(t, 64, 8, 3), "--outdir", outdir, "--model-channels=8", "--channel-mult=1", "--attn-resolutions=",
		"--batch=8", "--micro=4", "--duration=0.000016", "--validation=4", "--preview=2", "--threads=1",
	}
}

// writeIDX writes n images, with labels if there are classes, and returns the
// images' path.
func writeIDX(t *testing.T, n, size, classes int) string {
	t.Helper()
	images := binary.BigEndian.AppendUint32(nil, 0x803)
	for _, v := range []int{n, size, size} {
		images = binary.BigEndian.AppendUint32(images, uint32(v))
	}
	labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(n))
	for i := range n {
		for k := range size * size {
			images = append(images, byte(37*i+k*k))
		}
		labels = append(labels, byte(i%max(classes, 1)))
	}
	dir := t.TempDir()
	if classes > 0 {
		writeFile(t, filepath.Join(dir, "train-labels-idx1-ubyte"), labels)
	}
	return writeFile(t, filepath.Join(dir, "train-images-idx3-ubyte"), images)
}

func writeFile(t *testing.T, path string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
