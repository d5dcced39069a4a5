package reference

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"edm/checkpoints/safetensors"
)

// packedSuffix follows the name of a packed file. Random weights are what fills
// these files, and a byte-wise compressor sees nothing in them until the
// exponents stand together, hence the planes.
const packedSuffix = ".planes.gz"

// planes is the size of an element in bytes; float64 files merely compress less.
const planes = 4

// pack returns data without loss in less space: byte 0 of every group of four,
// then byte 1 of every group, and so on, compressed by gzip.
func pack(data []byte) ([]byte, error) {
	split := make([]byte, 0, len(data))
	for plane := range planes {
		for i := plane; i < len(data); i += planes {
			split = append(split, data[i])
		}
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(split); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// unpack is the inverse of pack.
func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	split, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	data := make([]byte, len(split))
	for plane := range planes {
		for i := plane; i < len(data); i += planes {
			data[i], split = split[0], split[1:]
		}
	}
	return data, nil
}

// read returns the vectors of a plain or a packed file.
func read(path string) (*safetensors.File, error) {
	if !strings.HasSuffix(path, packedSuffix) {
		return safetensors.ReadFile(path)
	}
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	data, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("reference: unpack %s: %w", path, err)
	}
	f, err := safetensors.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reference: read %s: %w", path, err)
	}
	return f, restore(f, filepath.Join(filepath.Dir(path), sharedFile))
}
