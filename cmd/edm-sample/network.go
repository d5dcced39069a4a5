package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
	"edm/internal/netpkl"
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

// loadNetwork finds and loads a snapshot, the newest of a run folder, a network
// pickle, or, for "", the newest snapshot of the newest run of a folder of runs,
// and builds it on a device. tell is told of damaged snapshots that were passed
// over and of pickles converted. Errors name the flag.
func loadNetwork(flag, name, runs string, d *model.Device, tell func(string)) (*network, error) {
	path, f, err := findSnapshot(flag, name, runs, tell)
	if err != nil {
		return nil, err
	}
	m, weights, err := model.FromSnapshot(f, d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := d.Mirror(weights); err != nil { // they never change: every program reads the one copy
		return nil, fmt.Errorf("%s: weights: %w", path, err)
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

// findSnapshot loads the file that loadNetwork names.
func findSnapshot(flag, name, runs string, tell func(string)) (path string, f *safetensors.File, err error) {
	if name == "" {
		if name, err = checkpoints.LatestRun(runs, checkpoints.Snapshot); err != nil {
			return "", nil, noNetwork(err)
		}
	}
	st, err := os.Stat(name)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w: want a snapshot file, a run folder or a network pickle", flag, err)
	}
	if st.IsDir() {
		path, f, err = checkpoints.Latest(name, checkpoints.Snapshot, func(message string) { tell("warning: " + message) })
		return path, f, noNetwork(err)
	}
	if strings.EqualFold(filepath.Ext(name), ".pkl") {
		if name, err = netpkl.Snapshot(name, tell); err != nil {
			return "", nil, fmt.Errorf("%s: %w", flag, err)
		}
	}
	f, err = checkpoints.Load(name, checkpoints.Snapshot)
	return name, f, err
}

// noNetwork adds advice to the error of a missing snapshot.
func noNetwork(err error) error {
	if errors.Is(err, checkpoints.ErrNone) {
		return fmt.Errorf("%w: train one with edm-train, or give --network a snapshot file or a run folder", err)
	}
	return err
}
