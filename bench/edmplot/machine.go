package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"edm/internal/cpu"
	"edm/internal/markdown"
)

// machine describes the machine of the measurements.
func machine(context.Context, options) (content, error) {
	backend := cpu.New(0)
	kernels, threads := backend.Instructions(), backend.Threads()
	if err := backend.Close(); err != nil {
		return content{}, err
	}
	one, all := cpu.PeakFMA(1)/1e9, cpu.PeakFMA(threads)/1e9
	return content{table: markdown.Table([][]string{
		{"processor", "processors", "kernels", "FMA peak, one thread", fmt.Sprintf("FMA peak, %d threads", threads), "system", "Go"},
		{processor(), fmt.Sprint(threads), kernels, fmt.Sprintf("%.0f GFLOP/s", one),
			fmt.Sprintf("%.0f GFLOP/s", all), runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()},
	})}, nil
}

// processor returns the processor's name where Linux says it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
