package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"edm/checkpoints"
	"edm/internal/safetensors"
	"edm/model"
)

// The snapshot's metadata that edm-train adds to the model's own.
const (
	classesKey = "edm_classes"
	nimgKey    = "edm_nimg"
	hashKey    = "content_sha256"
)

// network is a loaded snapshot.
type network struct {
	path       string
	model      *model.Model
	weights    []float32
	classNames []string // nil if not known
	metadata   map[string]string
}

// loadNetwork finds and loads what --network names and builds it on a device.
// warn is told of damaged snapshots that were passed over.
func loadNetwork(o *options, d *model.Device, warn func(string)) (*network, error) {
	path, f, err := findSnapshot(o, warn)
	if err != nil {
		return nil, err
	}
	m, weights, err := model.FromSnapshot(f, d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	n := &network{path: path, model: m, weights: weights, metadata: f.Metadata}
	if text, ok := f.Metadata[classesKey]; ok {
		if err := json.Unmarshal([]byte(text), &n.classNames); err != nil {
			return nil, fmt.Errorf("%s: class names: %w", path, err)
		}
		if c := m.Config().Network.LabelDim; len(n.classNames) != c {
			return nil, fmt.Errorf("%s: names of %d classes for a network of %d", path, len(n.classNames), c)
		}
	}
	return n, nil
}

// findSnapshot loads a snapshot file, the newest of a run folder, or the newest
// of the newest run.
func findSnapshot(o *options, warn func(string)) (path string, f *safetensors.File, err error) {
	dir := o.network
	if dir == "" {
		if dir, err = checkpoints.LatestRun(o.runs, checkpoints.Snapshot); err != nil {
			return "", nil, noNetwork(err)
		}
	}
	st, err := os.Stat(dir)
	if err != nil {
		return "", nil, fmt.Errorf("--network: %w: want a snapshot file or a run folder", err)
	}
	if !st.IsDir() {
		f, err = checkpoints.Load(dir, checkpoints.Snapshot)
		return dir, f, err
	}
	path, f, err = checkpoints.Latest(dir, checkpoints.Snapshot, warn)
	return path, f, noNetwork(err)
}

// noNetwork says what to do when there is no snapshot yet.
func noNetwork(err error) error {
	if errors.Is(err, checkpoints.ErrNone) {
		return fmt.Errorf("%w: train one with edm-train, or give --network a snapshot file or a run folder", err)
	}
	return err
}
