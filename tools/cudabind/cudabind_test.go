package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// binding writes a directory like gorgonia.org/cu's, with a header of ours.
func binding(t *testing.T, header string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cmd", "genlib", "cuda.h"), header)
	write(t, filepath.Join(dir, "api.go"), "func f() { C.cuDeviceGetCount(&n); C.cuMemAlloc(&p, 1) }")
	write(t, filepath.Join(dir, "api_test.go"), "func f() { C.cuNeverCalled(nil, nil) }")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHeader(t *testing.T) {
	a, err := newAPI(read(t, "testdata/cuda.h"))
	if err != nil {
		t.Fatal(err)
	}
	header := a.header()
	for _, prologue := range []string{"div_t", "atoi", "CLOCKS", "uint32_t_of_the_prologue", "long unsigned int size_t"} {
		if strings.Contains(header, prologue) {
			t.Errorf("the header still holds the prologue's %s", prologue)
		}
	}
	for _, want := range []string{
		"typedef uint32_t cuuint32_t;\n",
		"#define cuMemAlloc cuMemAlloc_v2\n",
		"#define cuTexRefSetAddress2D cuTexRefSetAddress2D_v3\n",
		"#define CU_TRSF_NORMALIZED_COORDINATES 0x02\n",
		"cuGraphInstantiateWithFlags(",
	} {
		if strings.Count(header, want) != 1 {
			t.Errorf("the header holds %q %d times, want once", want, strings.Count(header, want))
		}
	}
	// A name must be mapped before the function is declared.
	if strings.Index(header, "#define cuMemAlloc ") > strings.Index(header, "cuMemAlloc(") {
		t.Error("cuMemAlloc is declared before its name is mapped")
	}
}

func TestFunctions(t *testing.T) {
	a, err := newAPI(read(t, "testdata/cuda.h"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range a.functions {
		names = append(names, p.abi+"/"+strings.Join(p.arguments, "+"))
	}
	want := []string{"cuInit/Flags", "cuDeviceGetCount/count", "cuMemAlloc_v2/address+bytes", "cuMemFree_v2/address",
		"cuCtxSynchronize/", "cuNeverCalled/callback+list", "cuGraphInstantiateWithFlags/exec+graph+flags",
		"cuTensorMapEncodeTiled/map+type+rank+address+sizes+strides+box+steps+interleave+swizzle+promotion+fill"}
	if !slices.Equal(names, want) {
		t.Errorf("functions\n%q, want\n%q", names, want)
	}
	// By the plain name and by the ABI's; cuInit always.
	called := a.called(map[string]bool{"cuDeviceGetCount": true, "cuMemFree_v2": true})
	names = nil
	for _, p := range called {
		names = append(names, p.abi)
	}
	if want := []string{"cuInit", "cuDeviceGetCount", "cuMemFree_v2"}; !slices.Equal(names, want) {
		t.Errorf("called %q, want %q", names, want)
	}
}

func TestHeadersThatAreNot(t *testing.T) {
	good := read(t, "testdata/cuda.h")
	for name, header := range map[string]string{
		"empty":          "",
		"no CUDA type":   "typedef int div_t;\n",
		"no cuInit":      strings.Replace(good, "cuInit", "cuOther", 1),
		"declared twice": good + "CUresult cuInit(unsigned int Flags);\n",
		"nameless":       good + "CUresult cuOther(CUdevice);\n",
	} {
		if _, err := newAPI(header); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	err := run(config{out: "it's"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"-cu", "-calls", "-out"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not name %s", err, want)
		}
	}
}

// compile runs the C compiler.
func compile(t *testing.T, args ...string) {
	t.Helper()
	if err := command(append(tool("CC", "cc"), args...)); err != nil {
		t.Fatal(err)
	}
}

// The library, linked into a program, finds the driver of the environment when
// the program starts, and answers with error codes where something is missing.
func TestLibrary(t *testing.T) {
	out := t.TempDir()
	calls := t.TempDir()
	write(t, filepath.Join(calls, "extra.c"), "CUresult wait(void) { return cuCtxSynchronize(); }")
	if err := run(config{binding: binding(t, read(t, "testdata/cuda.h")), calls: calls, out: out}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read(t, filepath.Join(out, "lib", "trampolines.c")), "cuNeverCalled") {
		t.Error("a function that only a test calls has a trampoline")
	}
	program, driver, other := filepath.Join(out, "program"), filepath.Join(out, "driver.so"), filepath.Join(out, "other.so")
	// A toolkit's header comes later on the command line, as the binding's flags do.
	toolkit := t.TempDir()
	write(t, filepath.Join(toolkit, "cuda.h"), "#error a toolkit's header was included\n")
	compile(t, "-I", filepath.Join(out, "include"), "-I", toolkit, "testdata/program.c",
		"-o", program, "-L", filepath.Join(out, "lib"), "-lcuda", "-ldl")
	compile(t, "-shared", "-fPIC", "testdata/driver.c", "-o", driver)
	write(t, filepath.Join(out, "empty.c"), "int unrelated;\n")
	compile(t, "-shared", "-fPIC", filepath.Join(out, "empty.c"), "-o", other)
	for _, c := range []struct{ driver, want string }{
		{driver, "init 0 (42) count 7 (0) address 42 (0) wait (500) loaded\n"},
		{other, "init 0 (100) count -1 (100) address 0 (100) wait (100) " + other + ": not a CUDA driver: it has no cuInit\n"},
		{filepath.Join(out, "none.so"), "init 0 (100) count -1 (100) address 0 (100) wait (100) " + filepath.Join(out, "none.so") + ": cannot open"},
	} {
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), "EDM_CUDA_DRIVER="+c.driver)
		got, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(got), c.want) {
			t.Errorf("with %s:\n%swant\n%s", filepath.Base(c.driver), got, c.want)
		}
	}
}

// The environment puts our directories first, keeps the caller's flags, and
// changes when the library does.
func TestEnvironment(t *testing.T) {
	flags := func(b build, variable, caller string) string {
		t.Helper()
		script := filepath.Join(t.TempDir(), "env.sh")
		write(t, script, b.environment())
		cmd := exec.Command("sh", "-c", `. "$0" && printf %s "$`+variable+`"`, script)
		cmd.Env = append(os.Environ(), variable+"="+caller)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	b := build{out: "/some where", header: "h", source: "s"}
	got := flags(b, "CGO_CFLAGS", "-I/usr/local/cuda/include")
	if !strings.HasPrefix(got, "'-I/some where/include' ") || !strings.HasSuffix(got, " -I/usr/local/cuda/include") {
		t.Errorf("CGO_CFLAGS %s", got)
	}
	if got := flags(b, "CGO_LDFLAGS", ""); !strings.HasPrefix(got, "'-L/some where/lib' -lcuda ") {
		t.Errorf("CGO_LDFLAGS %s", got)
	}
	b.source = "another"
	if flags(b, "CGO_CFLAGS", "-I/usr/local/cuda/include") == got {
		t.Error("CGO_CFLAGS do not change with the library")
	}
}
