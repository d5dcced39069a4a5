package classifier

import (
	"encoding/json"
	"fmt"
	"io"

	"edm/checkpoints/safetensors"
	"edm/internal/atomicfile"
	"edm/model"
)

// MetadataKey names the metadata of a file that holds the Config as JSON.
const MetadataKey = "edm_classifier"

// Save writes the classifier to a safetensors file, whole or not at all.
func (c *Classifier) Save(path string) error {
	text, err := json.Marshal(c.config)
	if err != nil {
		return fmt.Errorf("classifier: save %s: %w", path, err)
	}
	f := &safetensors.File{Metadata: map[string]string{MetadataKey: string(text)}, Tensors: c.layout.Tensors(c.weights)}
	if err := atomicfile.Write(path, 0o666, func(w io.Writer) error { return safetensors.Write(w, f) }); err != nil {
		return fmt.Errorf("classifier: save: %w", err)
	}
	return nil
}

// Load reads a classifier that Save wrote.
func Load(path string, d *model.Device) (*Classifier, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("classifier: load: %w", err)
	}
	c, err := fromFile(f, d)
	if err != nil {
		return nil, fmt.Errorf("classifier: load %s: %w", path, err)
	}
	return c, nil
}

func fromFile(f *safetensors.File, d *model.Device) (*Classifier, error) {
	text, ok := f.Metadata[MetadataKey]
	if !ok {
		return nil, fmt.Errorf("not a classifier: no metadata %q", MetadataKey)
	}
	var config Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	// Before weights are allocated: a small file may describe a huge network.
	l, _, err := newLayout(config)
	if err != nil {
		return nil, err
	}
	elements := 0
	for _, t := range f.Tensors {
		elements += t.Len()
	}
	if elements != l.Count {
		return nil, fmt.Errorf("the file holds %d parameters, its configuration has %d", elements, l.Count)
	}
	c, err := newClassifier(config, d, 0)
	if err != nil {
		return nil, err
	}
	if err := c.layout.SetTensors(c.weights, f.Tensors); err != nil {
		return nil, err
	}
	return c, nil
}
