package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
	"edm/data"
	"edm/model"
	"edm/model/precond"
)

// The metadata of states and snapshots that this package writes.
const (
	keyConfig      = "edm_config"  // state: the configuration as YAML
	keyNImg        = "edm_nimg"    // both: images seen
	keyStep        = "edm_step"    // state: optimiser steps taken
	keyKernels     = "edm_kernels" // state: kernel set that computed it
	keyFingerprint = "edm_data"    // state: fingerprint of the dataset
	keyClasses     = "edm_classes" // snapshot: class names as JSON
)

// ErrChanged says that a run was to be resumed with options or data that change
// its result.
var ErrChanged = errors.New("the run was started with other options")

// ErrEnded says that a run was to be resumed that has seen all its images.
var ErrEnded = errors.New("the run has ended")

// ErrNoLabels says that a conditional network was to be trained on images without
// labels.
var ErrNoLabels = errors.New("a conditional network needs labels")

// fingerprinted is the number of images that a fingerprint looks at.
const fingerprinted = 4096

// fingerprint returns a hash of the dataset's size, shape and labels and of
// images: all of them up to fingerprinted, else as many or a few more evenly
// spread. It tells another dataset whatever its path.
func fingerprint(ds data.Dataset) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %v %d\n", ds.Len(), ds.Shape(), ds.NumClasses())
	for i := range ds.Len() {
		fmt.Fprintf(h, "%d\n", ds.Label(i))
	}
	pixels := make([]uint8, ds.Shape().Len())
	for i := 0; i < ds.Len(); i += max(1, ds.Len()/fingerprinted) {
		if err := ds.Image(i, pixels); err != nil {
			return "", fmt.Errorf("train: %w", err)
		}
		h.Write(pixels)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// saveState writes a state to the run's folder.
func (r *run) saveState() error {
	text, err := r.config.YAML()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := r.device.Download(r.weights.saved()...); err != nil {
		return fmt.Errorf("train: save a state: %w", err)
	}
	f := &safetensors.File{
		Metadata: map[string]string{
			keyConfig: string(text), keyKernels: r.options.Device.Name(), keyFingerprint: r.fingerprint,
			keyNImg: strconv.FormatInt(r.nimg, 10), keyStep: strconv.FormatInt(r.step, 10),
		},
		Tensors: r.weights.tensors(),
	}
	if _, err := checkpoints.Save(r.dir, checkpoints.State, r.nimg, f); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	r.stateAt, r.savedAt = r.nimg, time.Now()
	if err := checkpoints.Prune(r.dir, r.config.Keep); err != nil {
		r.warn(err.Error())
	}
	return nil
}

// saveSnapshot writes the averaged weights with all that sampling needs.
func (r *run) saveSnapshot() error {
	if err := r.device.Download(r.weights.ema); err != nil {
		return fmt.Errorf("train: save a snapshot: %w", err)
	}
	f, err := r.model.Snapshot(r.weights.ema)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	f.Metadata[keyNImg] = strconv.FormatInt(r.nimg, 10)
	if names := r.options.Dataset.ClassNames(); r.config.Cond && names != nil {
		text, err := json.Marshal(names)
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		f.Metadata[keyClasses] = string(text)
	}
	path, err := checkpoints.Save(r.dir, checkpoints.Snapshot, r.nimg, f)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	r.snapshot, r.snapshotAt = path, r.nimg
	if hook := r.options.Hooks.Snapshot; hook != nil {
		return hook(Snapshot{Dir: r.dir, Path: path, NImg: r.nimg, Model: r.model, Weights: r.weights.ema})
	}
	return nil
}

// resumeDir returns the run folder that Resume names, by itself or by a file in
// it.
func resumeDir(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("train: resume: %w", err)
	}
	if st.IsDir() {
		return path, nil
	}
	return filepath.Dir(path), nil
}

// loadState reads the state that Resume names: a file, or the newest sound one
// of a folder.
func loadState(path string, warn func(string)) (*safetensors.File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("train: resume: %w", err)
	}
	var f *safetensors.File
	if st.IsDir() {
		_, f, err = checkpoints.Latest(path, checkpoints.State, warn)
	} else {
		f, err = checkpoints.Load(path, checkpoints.State)
	}
	if err != nil {
		return nil, fmt.Errorf("train: resume: %w", err)
	}
	return f, nil
}

// restore continues from a state.
func (r *run) restore(f *safetensors.File) error {
	old, err := ParseConfig([]byte(f.Metadata[keyConfig]), Config{})
	if err != nil {
		return fmt.Errorf("train: resume: %w", err)
	}
	old.Complete()
	if err := r.compare(old, f.Metadata); err != nil {
		return err
	}
	if err := r.weights.restore(f.Tensors); err != nil {
		return err
	}
	if err := r.device.Upload(r.weights.saved()...); err != nil {
		return fmt.Errorf("train: resume: %w", err)
	}
	nimg, err1 := strconv.ParseInt(f.Metadata[keyNImg], 10, 64)
	step, err2 := strconv.ParseInt(f.Metadata[keyStep], 10, 64)
	if err := errors.Join(err1, err2); err != nil || nimg < 0 || step < 0 {
		return fmt.Errorf("train: resume: the state's counters %q and %q make no sense", f.Metadata[keyNImg], f.Metadata[keyStep])
	}
	r.nimg, r.step = nimg, step
	r.stateAt = nimg
	if total := r.config.TotalImages(); total <= nimg-int64(r.config.Batch) {
		return fmt.Errorf("train: resume: %w: duration asks for %d images, the state has seen %d: want a longer duration", ErrEnded, total, nimg)
	}
	return nil
}

// compare refuses to resume with options or data that change the numbers, and warns
// of options that change their rounding.
func (r *run) compare(old Config, meta map[string]string) error {
	lines, err := r.config.changes(old)
	if err != nil {
		return err
	}
	if meta[keyFingerprint] != r.fingerprint {
		lines = append(lines, fmt.Sprintf("data: %s holds other images than the run was trained on", r.config.Data))
	}
	if len(lines) > 0 {
		text := "these would change its result:\n  " + strings.Join(lines, "\n  ")
		if !r.options.Force {
			return fmt.Errorf("train: resume: %w: %s", ErrChanged, text)
		}
		r.warn(text)
	}
	if old.Micro != r.config.Micro {
		r.warn(fmt.Sprintf("micro is %d, was %d: the run continues with the same draws, equal to rounding but not bit for bit", r.config.Micro, old.Micro))
	}
	if k := r.options.Device.Name(); k != meta[keyKernels] {
		r.warn(fmt.Sprintf("kernels are %s, were %s: the run continues with the same draws, equal to rounding but not bit for bit", k, meta[keyKernels]))
	}
	return nil
}

// transfer copies the weights of a snapshot into a new run. The noise levels of
// an iDDPM run are the formula's, which the configuration repeats: a snapshot's
// own, rounded to float32 as published, differ from them by less than training
// notices, and others are warned of.
func (r *run) transfer(path string) error {
	f, err := checkpoints.Load(path, checkpoints.Snapshot)
	if err != nil {
		return fmt.Errorf("train: transfer: %w", err)
	}
	from, tensors, err := r.config.transferable(f)
	if err != nil {
		return fmt.Errorf("train: transfer from %s: %w", path, err)
	}
	r.compareTransfer(from)
	for _, flat := range [][]float32{r.weights.raw, r.weights.ema} {
		if err := r.model.Layout().SetTensors(flat, tensors); err != nil {
			return fmt.Errorf("train: transfer from %s: %w", path, err)
		}
	}
	if err := r.device.Upload(r.weights.raw, r.weights.ema); err != nil {
		return fmt.Errorf("train: transfer: %w", err)
	}
	return nil
}

// transferable returns the configuration of a snapshot, and those of its tensors that
// this configuration has a place for.
func (c Config) transferable(f *safetensors.File) (from model.Config, tensors map[string]safetensors.Tensor, err error) {
	from, tensors, err = model.SnapshotConfig(f)
	if err == nil && from.Network.AugmentDim > 0 && c.Augment == 0 {
		// At labels of zero these weights add nothing: the network is the same.
		tensors = maps.Clone(tensors)
		delete(tensors, model.Prefix+"map_augment.weight")
	}
	return from, tensors, err
}

// CheckTransfer reports whether a new run of the configuration could start from
// the weights of a snapshot.
func CheckTransfer(c Config, f *safetensors.File, d *model.Device) error {
	mc, err := c.Model()
	if err != nil {
		return err
	}
	m, err := model.New(mc, d)
	if err != nil {
		return fmt.Errorf("train: transfer: %w", err)
	}
	_, tensors, err := c.transferable(f)
	if err == nil {
		err = m.Layout().SetTensors(make([]float32, m.Layout().Size), tensors)
	}
	if err != nil {
		return fmt.Errorf("train: transfer: %w", err)
	}
	return nil
}

// constants returns named numbers as text: M=1000, epsilon_t=1e-05.
func constants(params map[string]float64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		words = append(words, fmt.Sprintf("%s=%g", name, params[name]))
	}
	return strings.Join(words, ", ")
}

// compareTransfer warns where the snapshot's preconditioning is not the run's:
// the weights then mean something else at first.
func (r *run) compareTransfer(from model.Config) {
	then, now := from.Precond, r.model.Config().Precond
	if then, ok := then.(precond.IDDPM); ok {
		if now, ok := now.(precond.IDDPM); ok && !then.Near(now, 1e-3) {
			r.warn("transfer: the snapshot was trained on noise levels of its own, this run has those of the formula with its C_1, C_2 and M")
		}
	}
	if then.Name() != now.Name() || !maps.Equal(then.Params(), now.Params()) {
		r.warn(fmt.Sprintf("transfer: the snapshot was trained with precond %s (%s), this run has %s (%s)",
			then.Name(), constants(then.Params()), now.Name(), constants(now.Params())))
	}
}
