package main

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"edm/checkpoints/safetensors"
	"edm/internal/benchmark"
	"edm/internal/testkit/detached"
	"edm/model"
	"edm/model/precond"
	"edm/unet"
)

// tiny writes a snapshot of a network with every kind of layer and returns its
// path and the number of its parameters.
func tiny(t *testing.T) (string, int) {
	t.Helper()
	n := unet.DefaultConfig()
	n.ImgResolution, n.InChannels, n.OutChannels = 8, 2, 2
	n.ModelChannels, n.ChannelMult, n.NumBlocks = 8, []int{1, 2}, 1
	n.AttnResolutions, n.Dropout = []int{4}, 0.1
	c := benchmark.Config{Model: model.Config{Network: n, Precond: precond.DefaultEDM()}, Batch: 1}
	w, err := benchmark.New(c, model.Portable())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiny.safetensors")
	if err := writeFile(path, w.Snapshot); err != nil {
		t.Fatal(err)
	}
	return path, w.Model().Layout().Count
}

// start parses and runs a command line and returns what it wrote.
func start(t *testing.T, input string, args ...string) string {
	t.Helper()
	c, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(c, strings.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestServe(t *testing.T) {
	path, parameters := tiny(t)
	input := `{"do":"train","steps":2}
{"do":"forward","steps":3}
{"do":"sleep","steps":1}
{"do":"train","steps":0}
{"do":"train","step":1}
{"do":"peak"}
{"do":"peak","threads":1,"steps":1}
{"do":"memory"}
{"do":"sample","steps":1}
`
	lines := strings.Split(strings.TrimSpace(start(t, input, "-network", path, "-batch", "3", "-threads", "1")), "\n")
	if len(lines) != 10 {
		t.Fatalf("%d lines, want 10: %q", len(lines), lines)
	}
	var h hello
	if err := json.Unmarshal([]byte(lines[0]), &h); err != nil {
		t.Fatal(err)
	}
	if h.Parameters != parameters || h.Batch != 3 || h.Threads != 1 || h.Kernels == "" || h.Instructions == "" {
		t.Errorf("hello = %+v, want %d parameters and batch 3", h, parameters)
	}
	if r := h.TrainGFLOP / h.ForwardGFLOP; !(r > 2.7 && r < 3) {
		t.Errorf("a training step is %g times an evaluation, want just under 3", r)
	}
	for i, images := range []int{6, 9, 0, 0, 0, 0, 0, 0, 3} {
		var a answer
		if err := json.Unmarshal([]byte(lines[1+i]), &a); err != nil {
			t.Fatal(err)
		}
		if a.Images != images || (a.Error == "") != (images > 0) || (a.Seconds > 0) != (images > 0) {
			t.Errorf("answer %d is %+v, want %d images", i, a, images)
		}
	}
}

// The peak may be of more threads than the workload has.
func TestServePeak(t *testing.T) {
	path, _ := tiny(t)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	lines := strings.Split(strings.TrimSpace(start(t, `{"do":"peak","threads":2}`, "-network", path, "-batch", "1", "-threads", "1")), "\n")
	var a answer
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &a); err != nil {
		t.Fatal(err)
	}
	if !(a.GFLOPS > 0) || a.Error != "" || a.Images != 0 {
		t.Errorf("answer %+v, want a rate alone", a)
	}
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Errorf("%d threads afterwards, want 1", n)
	}
}

// The memory of a device is what the workload takes of it, not what others take
// between its steps.
func TestServeMemory(t *testing.T) {
	backend := &detached.Backend{Capacity: 1 << 30}
	device := model.NewDevice(backend)
	path, _ := tiny(t)
	w, err := benchmark.Open(path, 2, device)
	if err != nil {
		t.Fatal(err)
	}
	s := server{w, device, backend.Used()}
	others := make([]float32, 1000)
	if err := device.Mirror(others); err != nil {
		t.Fatal(err)
	}
	before := s.taken
	if a := s.attend([]byte(`{"do":"train","steps":1}`)); a.Error != "" {
		t.Fatal(a.Error)
	}
	if err := device.Release(others); err != nil {
		t.Fatal(err)
	}
	a := s.attend([]byte(`{"do":"memory"}`))
	if a.Error != "" || s.taken <= before || a.MiB != float64(backend.Used())/(1<<20) {
		t.Errorf("%+v, before training %d bytes, want %d", a, before, backend.Used())
	}
}

// What -write and -check write can be read.
func TestFiles(t *testing.T) {
	path, parameters := tiny(t)
	for flag, prefix := range map[string]string{"-write": "", "-check": "grad."} {
		to := filepath.Join(t.TempDir(), "out.safetensors")
		if text := start(t, "", "-network", path, "-batch", "2", flag, to); text != "" {
			t.Errorf("%s says %q", flag, text)
		}
		f, err := safetensors.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for name, tensor := range f.Tensors {
			if strings.HasPrefix(name, prefix+"model.") {
				v, err := tensor.Float64s()
				if err != nil {
					t.Fatal(err)
				}
				count += len(v)
			}
		}
		if count != parameters {
			t.Errorf("%s: tensors %smodel.* have %d elements, want %d", flag, prefix, count, parameters)
		}
	}
	c, err := parse([]string{"-network", path, "-write", t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(c, strings.NewReader(""), io.Discard); err == nil {
		t.Error("-write to a folder: no error")
	}
}

func TestProfile(t *testing.T) {
	path, _ := tiny(t)
	for _, by := range []string{"kind", "shape"} {
		text := start(t, "", "-network", path, "-batch", "2", "-profile", "both", "-steps", "2", "-by", by)
		for _, want := range []string{"train, batch 2", "forward, batch 2", "Conv2DWeights 3x3", "Adam and EMA", "total"} {
			if !strings.Contains(text, want) {
				t.Errorf("-by %s: no %q in\n%s", by, want, text)
			}
		}
		if got := strings.Contains(text, "[2 8 8 8]"); got != (by == "shape") {
			t.Errorf("-by %s: shapes in the table: %v", by, got)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-preset", "demo", "-network", "x"},
		{"-preset", "demo", "-batch", "0"},
		{"-preset", "demo", "-threads", "-1"},
		{"-preset", "demo", "-profile", "all"},
		{"-preset", "demo", "-by", "time"},
		{"-preset", "demo", "-device", "gpu"},
		{"-preset", "demo", "-precision", "bf16"},
		{"-preset", "demo", "rest"},
	} {
		var said bytes.Buffer
		if _, err := parse(args, &said); err == nil || said.Len() == 0 {
			t.Errorf("%q: error %v, message %q, want both", args, err, said.String())
		}
	}
	for _, args := range [][]string{
		{"-preset", "huge"},
		{"-network", filepath.Join(t.TempDir(), "none.safetensors")},
	} {
		c, err := parse(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(c, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
