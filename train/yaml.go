package train

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"edm/internal/atomicfile"
)

// ConfigFile is the name of the resolved configuration in a run's folder.
const ConfigFile = "config.yaml"

// ParseConfig reads a YAML configuration over base: keys that are absent keep
// base's values, and an unknown key is an error that shows its line.
func ParseConfig(text []byte, base Config) (Config, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := dec.Decode(&base); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("train: configuration: %w", err)
	}
	return base, nil
}

// YAML returns the configuration as a file that --config reads.
func (c Config) YAML() ([]byte, error) { return yaml.Marshal(c) }

// LoadConfig returns the configuration of a run: path is its folder or a state
// file in it.
func LoadConfig(path string) (Config, error) {
	dir := path
	if st, err := os.Stat(path); err != nil {
		return Config{}, fmt.Errorf("train: no run at %s: %w", path, err)
	} else if !st.IsDir() {
		dir = filepath.Dir(path)
	}
	name := filepath.Join(dir, ConfigFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return Config{}, fmt.Errorf("train: %s is not a run's folder: %w", dir, err)
	}
	c, err := ParseConfig(text, Config{})
	if err != nil {
		return Config{}, fmt.Errorf("train: %s: %w", name, err)
	}
	return c, nil
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
// report and save, where the data lies (its fingerprint is compared instead),
// or how a batch is split (which changes rounding only, and is warned of).
func free() map[string]bool {
	return map[string]bool{
		"data": true, "preset": true, "duration": true, "micro": true,
		"tick": true, "snap": true, "dump": true, "keep": true,
	}
}

// changes describes how c differs from an earlier configuration in what
// decides the numbers: one line a key.
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
