#!/usr/bin/env python3
"""Compares the project's matrix product on one thread with that of PyTorch's
library (OpenBLAS or MKL): square matrices, float32, every side timed in turn,
the fastest time of every side. The last column is the share of the multiply-adds
that the processor's registers can do, as the project measures it in the same
run. Run it on an idle machine."""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# What keeps a library to the instructions of one of the project's sets.
LIMITS = {
    "avx512": {},
    "avx2": {"OPENBLAS_CORETYPE": "Haswell", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"},
}

WORKER = """
import sys, time, torch
torch.set_num_threads(1)
n = int(sys.argv[1])
a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
library = "MKL" if torch.backends.mkl.is_available() else "BLAS"
print("PyTorch", torch.__version__.split("+")[0], "with", library, flush=True)
for line in sys.stdin:
    end, best = time.perf_counter() + float(line), 1e9
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(a, b, out=c)
        best = min(best, time.perf_counter() - start)
    print(2 * n**3 / best / 1e9, flush=True)
"""


class Torch:
    """A PyTorch that stays warm in a process of its own."""

    def __init__(self, python, kernels, a):
        env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", **LIMITS[kernels])
        self.process = subprocess.Popen([python, "-c", WORKER, str(a.n)], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.label, self.kernels, self.best = self.process.stdout.readline().strip(), kernels, 0.0
        self.seconds = a.seconds

    def measure(self):
        print(self.seconds, file=self.process.stdin, flush=True)
        self.best = max(self.best, float(self.process.stdout.readline()))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Project:
    """The project's product, and the peak of its set of kernels."""

    def __init__(self, binary, kernels, a):
        self.label, self.kernels, self.best, self.peak = "edm", kernels, 0.0, 0.0
        self.command = [binary, "-test.run", "^$", "-test.bench", f"^BenchmarkGemm$/^{kernels}$/^{a.n}$",
                        "-test.benchtime", f"{a.seconds}s", "-test.cpu", "1"]

    def measure(self):
        out = subprocess.run(self.command, check=True, capture_output=True, text=True).stdout
        rates = {unit: float(rate) for rate, unit in re.findall(r"([0-9.]+) (\S*GFLOP/s)", out)}
        if not rates:
            raise SystemExit(f"gemm.py: no rate in the output of {' '.join(self.command)}:\n{out}")
        self.best = max(self.best, rates["GFLOP/s"])
        self.peak = max(self.peak, rates["peak-GFLOP/s"])

    def close(self):
        pass


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--python", action="append", help="interpreter with PyTorch; may be given several times (this one)")
    p.add_argument("--kernels", action="append", choices=sorted(LIMITS), help="set of instructions (both)")
    p.add_argument("-n", type=int, default=768, choices=(64, 256, 768), help="rows and columns (768)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=0.3, help="of a side in a round")
    a = p.parse_args()
    a.python = a.python or [sys.executable]
    a.kernels = a.kernels or sorted(LIMITS)
    return a


def main():
    a = parse()
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "cpu.test" + (".exe" if platform.system() == "Windows" else ""))
        subprocess.run(["go", "test", "-c", "-o", binary, "./internal/cpu"], cwd=os.path.dirname(HERE), check=True)
        own = {k: Project(binary, k, a) for k in a.kernels}
        all = [side for k in a.kernels for side in [own[k], *(Torch(python, k, a) for python in a.python)]]
        for _ in range(a.rounds):
            for side in all:
                side.measure()
            all.reverse()
        all.sort(key=lambda s: (s.kernels, s.label))
        for side in all:
            side.close()
    print(f"{'kernels':8} {'side':28} {'GFLOP/s':>8} {'of peak':>8}   n = {a.n}, one thread")
    for side in all:
        print(f"{side.kernels:8} {side.label:28} {side.best:8.1f} {100 * side.best / own[side.kernels].peak:7.1f}%")


if __name__ == "__main__":
    main()
