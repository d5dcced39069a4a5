// Command ptxgen compiles the CUDA kernels to PTX with clang, which needs no
// CUDA toolkit, and writes one file a module with the hashes of its sources.
// Its output depends on the sources and the compiler's version alone: make ptx.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	kernels := flag.String("kernels", "", "folder of the kernels' sources, *.cu and *.cuh")
	out := flag.String("out", "", "folder that gets one .ptx for each .cu; others in it are removed")
	clang := flag.String("clang", "clang-19", "compiler")
	flag.Parse()
	if err := generate(*kernels, *out, *clang); err != nil {
		fmt.Fprintln(os.Stderr, "ptxgen:", err)
		os.Exit(1)
	}
}

// generate compiles every source in folder kernels. It writes nothing unless all
// of them compile.
func generate(kernels, out, clang string) error {
	sources, err := filepath.Glob(filepath.Join(kernels, "*.cu"))
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("no .cu in %q: name the folder by -kernels", kernels)
	}
	files := map[string]string{}
	for _, source := range sources {
		module := strings.TrimSuffix(filepath.Base(source), ".cu")
		t := targetOf(module)
		text, err := compile(clang, kernels, module, t)
		if err != nil {
			return err
		}
		files[t.file(module)] = text
	}
	if err := removeOthers(out, files); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeOthers deletes the PTX of sources that are no more.
func removeOthers(out string, files map[string]string) error {
	old, err := filepath.Glob(filepath.Join(out, "*.ptx"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; ok {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
