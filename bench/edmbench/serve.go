package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"edm/internal/benchmark"
	"edm/internal/cpu"
	"edm/model"
)

// hello is the first line of a server.
type hello struct {
	Name         string  `json:"name"`
	Kernels      string  `json:"kernels"`
	Instructions string  `json:"instructions"` // of the processor, or the GPU
	Parameters   int     `json:"parameters"`
	Batch        int     `json:"batch"`
	Threads      int     `json:"threads"`
	TrainGFLOP   float64 `json:"train_gflop"`   // an image, direct convolution
	ForwardGFLOP float64 `json:"forward_gflop"` // an image, direct convolution
}

// command is one line of a client.
type command struct {
	Do      string `json:"do"` // train, forward, sample, peak or memory
	Steps   int    `json:"steps"`
	Threads int    `json:"threads"` // of peak
}

// answer is the line that a command gets.
type answer struct {
	Seconds float64 `json:"seconds,omitempty"`
	Images  int     `json:"images,omitempty"`
	GFLOPS  float64 `json:"gflops,omitempty"`
	MiB     float64 `json:"mib,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// server runs a workload on request.
type server struct {
	work   *benchmark.Workload
	device *model.Device
	taken  int64 // bytes of the device's memory by its own work
}

// serve answers until the end of in.
func (s *server) serve(in io.Reader, out io.Writer) error {
	enc := json.NewEncoder(out)
	h, err := describe(s.work, s.device)
	if err != nil {
		return err
	}
	if err := enc.Encode(h); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := enc.Encode(s.attend(lines.Bytes())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// attend answers one line and counts what that takes of the device's memory. Other
// processes on the device work while this one waits, and what they take is not
// counted.
func (s *server) attend(line []byte) answer {
	before, _ := s.device.FreeMemory()
	a := s.obey(line)
	after, _ := s.device.FreeMemory()
	s.taken += before - after
	return a
}

// obey executes one line.
func (s *server) obey(line []byte) answer {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var c command
	if err := dec.Decode(&c); err != nil {
		return answer{Error: err.Error()}
	}
	modes := []benchmark.Mode{benchmark.Training, benchmark.Forward, benchmark.Sampling}
	switch mode := benchmark.Mode(c.Do); {
	case c.Do == "peak" && c.Threads > 0 && c.Steps == 0:
		return peak(c.Threads)
	case c == command{Do: "memory"}:
		return s.memory()
	case slices.Contains(modes, mode) && c.Steps > 0 && c.Threads == 0:
		return timed(s.work, mode, c.Steps)
	}
	return answer{Error: fmt.Sprintf("command %s, want train, forward or sample with 1 or more steps, peak with 1 or more threads, or memory", line)}
}

// memory returns the workload's part of the device's memory.
func (s *server) memory() answer {
	if _, known := s.device.FreeMemory(); !known || !s.device.HasMemory() {
		return answer{Error: "the device has no memory of its own: -device cuda has"}
	}
	return answer{MiB: float64(s.taken) / (1 << 20)}
}

// timed runs steps.
func timed(w *benchmark.Workload, mode benchmark.Mode, steps int) answer {
	start := time.Now()
	for range steps {
		if err := w.Run(mode); err != nil {
			return answer{Error: err.Error()}
		}
	}
	return answer{Seconds: time.Since(start).Seconds(), Images: steps * w.Batch()}
}

// peak measures the multiply-add peak of a number of threads, which may be more
// than the workload's.
func peak(threads int) answer {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(threads, runtime.GOMAXPROCS(0))))
	return answer{GFLOPS: cpu.PeakFMA(threads) / 1e9}
}

// describe returns the first line.
func describe(w *benchmark.Workload, device *model.Device) (hello, error) {
	h := hello{
		Name: "edm", Kernels: device.Name(), Parameters: w.Model().Layout().Count,
		Batch: w.Batch(), Threads: runtime.GOMAXPROCS(0),
	}
	h.Instructions = device.String()
	if b, ok := device.Backend().(*cpu.Backend); ok {
		h.Threads, h.Instructions = b.Threads(), b.Instructions()
	}
	for mode, gflop := range map[benchmark.Mode]*float64{
		benchmark.Training: &h.TrainGFLOP, benchmark.Forward: &h.ForwardGFLOP,
	} {
		plan, err := w.Plan(mode)
		if err != nil {
			return h, err
		}
		*gflop = plan.GFLOP
	}
	return h, nil
}
