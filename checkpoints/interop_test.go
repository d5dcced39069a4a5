package checkpoints

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pythonEnv names a Python interpreter with numpy and safetensors.
const pythonEnv = "EDM_PYTHON"

// seen is what a reader makes of a file.
type seen struct {
	Metadata map[string]string     `json:"metadata"`
	Content  string                `json:"content_sha256"`
	Tensors  map[string]seenTensor `json:"tensors"`
}

type seenTensor struct {
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	SHA256 string `json:"sha256"`
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// readIndependently reads the format from its description alone, sharing no
// code with checkpoints/safetensors.
func readIndependently(data []byte) (seen, error) {
	n := binary.LittleEndian.Uint64(data)
	header, body := data[8:8+n], data[8+n:]
	if len(header)%8 != 0 {
		return seen{}, fmt.Errorf("a header of %d bytes leaves the data unaligned", n)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(header, &fields); err != nil {
		return seen{}, err
	}
	s := seen{Tensors: map[string]seenTensor{}}
	for name, raw := range fields {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &s.Metadata); err != nil {
				return seen{}, err
			}
			continue
		}
		var e struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return seen{}, err
		}
		s.Tensors[name] = seenTensor{e.DType, e.Shape, sum(body[e.Offsets[0]:e.Offsets[1]])}
	}
	s.Content = s.Metadata["content_sha256"]
	return s, nil
}

func readWithPython(python, path string) (seen, error) {
	cmd := exec.Command(python, filepath.Join("testdata", "read_with_python.py"), path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return seen{}, err
	}
	var s seen
	return s, json.Unmarshal(out, &s)
}

// What others read is what was saved: always an independent reader of the
// format, and the official Python package where EDM_PYTHON names one.
func TestOthersCanRead(t *testing.T) {
	for _, kind := range []Kind{Snapshot, State} {
		f := small()
		path := save(t, t.TempDir(), kind, 1, f)
		want := seen{Metadata: f.Metadata, Tensors: map[string]seenTensor{}}
		for name, x := range f.Tensors {
			want.Tensors[name] = seenTensor{string(x.DType), append([]int{}, x.Shape...), sum(x.Data)}
		}
		loaded, err := Load(path, kind)
		if err != nil {
			t.Fatal(err)
		}
		want.Content = loaded.Metadata["content_sha256"]
		want.Metadata["format"], want.Metadata["format_version"] = string(kind), "1"
		want.Metadata["content_sha256"] = want.Content

		got, err := readIndependently(read(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, independent reader: %s", kind, d)
		}
		python := os.Getenv(pythonEnv)
		if python == "" {
			continue
		}
		if got, err = readWithPython(python, path); err != nil {
			t.Fatalf("%s=%s: %v", pythonEnv, python, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, Python: %s", kind, d)
		}
	}
}
