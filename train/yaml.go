package train

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"edm/checkpoints"
	"edm/checkpoints/safetensors"
	"edm/internal/atomicfile"
)

// ConfigFile is the name of the resolved configuration in a run's folder.
const ConfigFile = "config.yaml"

// ParseConfig reads a YAML configuration over base: keys that are absent keep
// base's values, and an unknown key is an error that shows its line.
func ParseConfig(text []byte, base Config) (Config, error) {
	if err := checkIntegers(text); err != nil {
		return Config{}, fmt.Errorf("train: configuration: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	given := base
	// The decoder writes into maps that are there.
	given.PrecondParams, given.LossParams = maps.Clone(base.PrecondParams), maps.Clone(base.LossParams)
	if err := dec.Decode(&given); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("train: configuration: %w", err)
	}
	if !reflect.ValueOf(given).IsZero() { // a file of comments only decodes to nothing
		base = given
	}
	var more any
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("train: configuration: want one YAML document, found a second")
	}
	return base, nil
}

// checkIntegers refuses fractions where the configuration has whole numbers:
// the decoder would cut them off.
func checkIntegers(text []byte) error {
	var raw map[string]any
	if yaml.Unmarshal(text, &raw) != nil {
		return nil // the strict decoder reports the fault and its line
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		field := reflect.TypeFor[Config]().Field(i)
		kind, key := field.Type.Kind(), field.Tag.Get("yaml")
		if kind == reflect.Slice {
			kind = field.Type.Elem().Kind()
		}
		if kind != reflect.Int && kind != reflect.Uint64 {
			continue
		}
		values, ok := raw[key].([]any)
		if !ok {
			values = []any{raw[key]}
		}
		for _, v := range values {
			if f, ok := v.(float64); ok && f != math.Trunc(f) {
				return fmt.Errorf("%s: %v is not a whole number", key, f)
			}
		}
	}
	return nil
}

// YAML returns the configuration as a file that --config reads.
func (c Config) YAML() ([]byte, error) { return yaml.Marshal(c) }

// LoadConfig returns the configuration of a run: path is its folder or one of
// its state files. Options that decide the numbers come from the state, since the
// state continues. Options that decide when to stop, report and save come from the
// folder's config.yaml if it has one.
func LoadConfig(path string) (Config, error) {
	st, err := os.Stat(path)
	if err != nil {
		return Config{}, fmt.Errorf("train: no run at %s: %w", path, err)
	}
	dir, states := path, []string{path}
	if st.IsDir() {
		if states, err = statesOf(path); err != nil {
			return Config{}, err
		}
	} else {
		dir = filepath.Dir(path)
	}
	state, stateErr := stateConfig(states)
	if stateErr != nil && !st.IsDir() {
		return Config{}, fmt.Errorf("train: %w", stateErr)
	}
	file, fileErr := readConfig(filepath.Join(dir, ConfigFile))
	switch {
	case stateErr != nil && fileErr != nil:
		return Config{}, fmt.Errorf("train: %s is not a run's folder: %w", dir, errors.Join(stateErr, fileErr))
	case stateErr != nil:
		return file, nil
	case fileErr == nil:
		state.takeFree(file)
	}
	return state, nil
}

// statesOf returns the paths of a folder's states, newest first.
func statesOf(dir string) ([]string, error) {
	entries, err := checkpoints.List(dir, checkpoints.State)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var paths []string
	for _, e := range slices.Backward(entries) {
		paths = append(paths, e.Path)
	}
	return paths, nil
}

// stateConfig returns the configuration in the first state that has one. Only
// headers are read; the state itself is verified when it is resumed from.
func stateConfig(paths []string) (Config, error) {
	err := errors.New("no state")
	for _, path := range paths {
		var r *safetensors.Reader
		if r, err = safetensors.Open(path); err != nil {
			continue
		}
		text, ok := r.Metadata[keyConfig]
		r.Close()
		if !ok {
			err = fmt.Errorf("%s is no training state: want a state-*.safetensors file or a run's folder", path)
			continue
		}
		var c Config
		if c, err = ParseConfig([]byte(text), Config{}); err == nil {
			c.Complete()
			return c, nil
		}
	}
	return Config{}, err
}

func readConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c, err := ParseConfig(text, Config{})
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	c.Complete()
	return c, nil
}

// takeFree copies the keys of free from another configuration.
func (c *Config) takeFree(from Config) {
	c.Data, c.Preset, c.Transfer, c.Duration, c.Micro = from.Data, from.Preset, from.Transfer, from.Duration, from.Micro
	c.Device, c.Precision = from.Device, from.Precision
	c.Recompute, c.RecomputeLight = from.Recompute, from.RecomputeLight
	c.Tick, c.Snap, c.Dump, c.Keep = from.Tick, from.Snap, from.Dump, from.Keep
}

// saveConfig writes the configuration to a run's folder.
func (c Config) saveConfig(dir string) error {
	text, err := c.YAML()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	err = atomicfile.Write(filepath.Join(dir, ConfigFile), 0o644, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("train: save configuration: %w", err)
	}
	return nil
}

// free lists the keys that may change on resume: they decide when to stop,
// report and save, where the data lies (its fingerprint is compared instead), which
// values stay in memory, or how a batch is split and on which device it runs (these
// change rounding only, and cause a warning).
func free() map[string]bool {
	return map[string]bool{
		"data": true, "preset": true, "transfer": true, "duration": true, "micro": true,
		"device": true, "precision": true, "recompute": true, "recompute_light": true,
		"tick": true, "snap": true, "dump": true, "keep": true,
	}
}

// changes lists the keys in which c differs from an earlier configuration, of those
// that decide the numbers: one line a key.
func (c Config) changes(old Config) ([]string, error) {
	now, err := c.fields()
	if err != nil {
		return nil, err
	}
	then, err := old.fields()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if !free()[key] && now[key] != then[key] {
			lines = append(lines, fmt.Sprintf("%s: %s, was %s", key, now[key], then[key]))
		}
	}
	return lines, nil
}

// fields returns every key with its value as text.
func (c Config) fields() (map[string]string, error) {
	text, err := c.YAML()
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	out := make(map[string]string, len(raw))
	for k, v := range raw {
		out[k] = strings.TrimSpace(fmt.Sprint(v))
	}
	return out, nil
}
