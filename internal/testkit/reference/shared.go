package reference

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"

	"edm/checkpoints/safetensors"
)

// Files of a folder were often recorded with the same weights or latents. The copy
// stores such a tensor once, in the folder's shared file, and each file's metadata
// says which of its tensors lie there, and under which name.
const (
	sharedFile = "shared" + packedSuffix
	sharedKey  = "shared"
	// leastShared is the size in bytes below which a tensor is stored in each file.
	leastShared = 1024
)

// share moves tensors that several files have in common to another file and returns
// that file, or nil if there are none.
func share(files []*safetensors.File) (*safetensors.File, error) {
	seen := map[string]int{}
	for _, f := range files {
		for _, t := range f.Tensors {
			seen[contents(t)]++
		}
	}
	shared := &safetensors.File{Tensors: map[string]safetensors.Tensor{}}
	for _, f := range files {
		moved := map[string]string{}
		for name, t := range f.Tensors {
			if key := contents(t); seen[key] > 1 && len(t.Data) >= leastShared {
				moved[name], shared.Tensors[key] = key, t
				delete(f.Tensors, name)
			}
		}
		if len(moved) == 0 {
			continue
		}
		text, err := json.Marshal(moved)
		if err != nil {
			return nil, err
		}
		f.Metadata = maps.Clone(f.Metadata)
		f.Metadata[sharedKey] = string(text)
	}
	if len(shared.Tensors) == 0 {
		return nil, nil
	}
	return shared, nil
}

// contents names a tensor by its type, shape and data.
func contents(t safetensors.Tensor) string {
	h := sha256.New()
	fmt.Fprintln(h, t.DType, t.Shape)
	h.Write(t.Data)
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// restore puts the tensors that share moved back into a file.
func restore(f *safetensors.File, path string) error {
	text, ok := f.Metadata[sharedKey]
	if !ok {
		return nil
	}
	var moved map[string]string
	if err := json.Unmarshal([]byte(text), &moved); err != nil {
		return fmt.Errorf("reference: the list of shared tensors: %w", err)
	}
	shared, err := read(path)
	if err != nil {
		return err
	}
	for name, key := range moved {
		t, ok := shared.Tensors[key]
		if !ok {
			return fmt.Errorf("reference: %s has no tensor %s for %s", path, key, name)
		}
		f.Tensors[name] = t
	}
	delete(f.Metadata, sharedKey)
	return nil
}

// packFile returns a file in the packed format.
func packFile(f *safetensors.File) ([]byte, error) {
	var b bytes.Buffer
	if err := safetensors.Write(&b, f); err != nil {
		return nil, err
	}
	return pack(b.Bytes())
}
