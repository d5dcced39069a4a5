package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
	"edm/data"
	"edm/internal/netpkl"
	"edm/model"
	"edm/train"
)

// train runs or resumes the training and prints its end and the next command.
func (r *request) train(ctx context.Context, stdout, stderr io.Writer, c train.Config, ds data.Dataset, device *model.Device) error {
	if err := r.transferFrom(&c, stderr); err != nil {
		return fmt.Errorf("--transfer: %w", err)
	}
	show := &display{stdout: stdout, stderr: stderr, device: device.String()}
	defer show.close()
	result, err := train.Run(ctx, c, train.Options{
		OutDir: r.outdir, Desc: r.desc, Resume: r.resume, Force: r.force,
		Dataset: ds, Device: device, Autosave: 10 * time.Minute,
		Hooks: train.Hooks{
			Start: show.start, Step: show.step, Tick: show.tick, Warn: show.warn,
			Snapshot: (&preview{ctx: ctx, images: r.preview, batch: c.Micro, display: show}).snapshot,
		},
	})
	show.close()
	if err != nil {
		return advised(err, result.Dir)
	}
	if !result.Done {
		fmt.Fprintf(stdout, "stopped after %d images; continue with\n  edm-train --resume %s\n", result.NImg, result.Dir)
		return nil
	}
	fmt.Fprintf(stdout, "finished after %d images", result.NImg)
	if result.Snapshot != "" {
		fmt.Fprintf(stdout, "; draw images with\n  edm-sample --network %s", result.Snapshot)
	}
	fmt.Fprintln(stdout)
	return nil
}

// checkTransfer reports, without writing anything, whether a new run could start from
// the file of --transfer.
func (r *request) checkTransfer(c train.Config, device *model.Device, stderr io.Writer) error {
	if r.transfer != "" {
		c.Transfer = r.transfer
	}
	if c.Transfer == "" || r.resume != "" {
		return nil
	}
	file, err := r.transferFile(c, stderr)
	if err == nil {
		err = train.CheckTransfer(c, file, device)
	}
	if err != nil {
		return fmt.Errorf("--transfer: %w", err)
	}
	return nil
}

// transferFile reads the file that c.Transfer names, without converting a pickle.
func (r *request) transferFile(c train.Config, stderr io.Writer) (*safetensors.File, error) {
	if isPickle(c.Transfer) {
		network, err := netpkl.Read(c.Transfer)
		if err != nil {
			return nil, err
		}
		return network.File()
	}
	if err := r.transferFrom(&c, stderr); err != nil {
		return nil, err
	}
	return checkpoints.Load(c.Transfer, checkpoints.Snapshot)
}

// isPickle reports whether a path is called as network pickles are.
func isPickle(path string) bool { return strings.EqualFold(filepath.Ext(path), ".pkl") }

// transferFrom makes the configuration name the snapshot file that --transfer,
// or the configuration itself, asks a new run to start from.
func (r *request) transferFrom(c *train.Config, stderr io.Writer) error {
	if r.transfer != "" {
		c.Transfer = r.transfer
	}
	if c.Transfer == "" || r.resume != "" {
		return nil
	}
	st, err := os.Stat(c.Transfer)
	if err != nil {
		return fmt.Errorf("%w: want a snapshot file or a run folder", err)
	}
	warn := func(message string) { fmt.Fprintln(stderr, "warning:", message) }
	if !st.IsDir() {
		if isPickle(c.Transfer) {
			if c.Transfer, err = netpkl.Snapshot(c.Transfer, warn); err != nil {
				return err
			}
		}
		return nil
	}
	path, _, err := checkpoints.Latest(c.Transfer, checkpoints.Snapshot, warn)
	if errors.Is(err, checkpoints.ErrNone) {
		return fmt.Errorf("%w: want a snapshot file or a run folder with one", err)
	}
	c.Transfer = path
	return err
}
