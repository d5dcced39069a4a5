package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"edm/internal/engine"
	"edm/internal/op"
	"edm/loss"
	"edm/model"
)

// hello is the first line of a server.
type hello struct {
	Name         string  `json:"name"`
	Kernels      string  `json:"kernels"`
	Parameters   int     `json:"parameters"`
	Batch        int     `json:"batch"`
	Threads      int     `json:"threads"`
	TrainGFLOP   float64 `json:"train_gflop"`   // an image, direct convolution
	ForwardGFLOP float64 `json:"forward_gflop"` // an image, direct convolution
}

// command is one line of a client.
type command struct {
	Do    string `json:"do"` // train or forward
	Steps int    `json:"steps"`
}

// answer is the line that a command gets.
type answer struct {
	Seconds float64 `json:"seconds"`
	Images  int     `json:"images"`
	Error   string  `json:"error,omitempty"`
}

// serve answers commands until the end of in.
func (w *workload) serve(in io.Reader, out io.Writer) error {
	enc := json.NewEncoder(out)
	h, err := w.hello()
	if err != nil {
		return err
	}
	if err := enc.Encode(h); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := enc.Encode(w.answer(lines.Bytes())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// answer obeys one line.
func (w *workload) answer(line []byte) answer {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var c command
	if err := dec.Decode(&c); err != nil {
		return answer{Error: err.Error()}
	}
	step := map[string]func() error{"train": w.train, "forward": w.forward}[c.Do]
	if step == nil || c.Steps < 1 {
		return answer{Error: fmt.Sprintf("%d steps of %q, want 1 or more of train or forward", c.Steps, c.Do)}
	}
	start := time.Now()
	for range c.Steps {
		if err := step(); err != nil {
			return answer{Error: err.Error()}
		}
	}
	return answer{Seconds: time.Since(start).Seconds(), Images: c.Steps * w.batch}
}

// hello describes the workload.
func (w *workload) hello() (hello, error) {
	h := hello{
		Name: "edm", Kernels: w.device.Name(), Parameters: w.model.Layout().Count,
		Batch: w.batch, Threads: runtime.GOMAXPROCS(0),
	}
	for _, mode := range []struct {
		training bool
		gflop    *float64
	}{{true, &h.TrainGFLOP}, {false, &h.ForwardGFLOP}} {
		p, err := compiled(w.model, 1, mode.training)
		if err != nil {
			return h, err
		}
		*mode.gflop = flops(p) / 1e9
	}
	return h, nil
}

// compiled returns the program of the loss for n images.
func compiled(m *model.Model, n int, training bool) (*engine.Program, error) {
	l, err := m.NewLoss(loss.Default(), n, training)
	if err != nil {
		return nil, err
	}
	return l.Program().Program(), nil
}

// flops returns the operations of one run of a program, counting convolutions
// as direct ones.
func flops(p *engine.Program) float64 {
	var sum float64
	for _, s := range p.Steps {
		sum += op.Flops(s.Spec, s.In, s.Out)
	}
	return sum
}
