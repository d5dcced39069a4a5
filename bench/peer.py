#!/usr/bin/env python3
"""Compares the speed of this project with PyTorch's: same network, weights,
batch, cores and run. For every network it first checks that both sides give
the same D, losses and gradients, then times them in alternation and prints a
table, and with --json the figures. README.md says how they are measured."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = {"D": 1e-4, "loss": 1e-4, "gradient": 1e-3}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", action="append", metavar="NETWORK:BATCH",
                   help="preset or snapshot file, and batch; may be repeated (small:16 demo:16 cifar10:4)")
    p.add_argument("--mode", action="append", choices=["train", "forward"], help="may be repeated (both)")
    p.add_argument("--variant", action="append", metavar="NAMES",
                   help="how PyTorch runs: eager, channels_last, compile, sdpa, fused, joined by +; may be repeated (eager)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of either side (all processors)")
    p.add_argument("--rounds", type=int, default=7, help="timings of each side (7)")
    p.add_argument("--seconds", type=float, default=2.0, help="length of one timing, about (2)")
    p.add_argument("--python", default=sys.executable, help="interpreter that has PyTorch (this one)")
    p.add_argument("--edmbench", help="built edmbench (built from the tree)")
    p.add_argument("--json", metavar="FILE", help="write all figures")
    a = p.parse_args()
    a.case = [c.rsplit(":", 1) for c in a.case or ["small:16", "demo:16", "cifar10:4"]]
    for c in a.case:
        if len(c) != 2 or not c[1].isdigit() or int(c[1]) < 1:
            p.error(f"--case {':'.join(c)!r}, want NETWORK:BATCH")
    if a.rounds < 1 or a.threads < 1 or not a.seconds > 0:
        p.error("--rounds and --threads must be at least 1, --seconds above 0")
    a.mode, a.variant = a.mode or ["train", "forward"], a.variant or ["eager"]
    return a


class Process:
    """One side as a process that answers a JSON line with a JSON line."""

    def __init__(self, label, command, threads):
        self.label = label
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env=environment(threads))
        self.about = self.read()

    def read(self):
        line = self.p.stdout.readline()
        if not line:
            raise SystemExit(f"{self.label}: ended with exit status {self.p.wait()}")
        answer = json.loads(line)
        if answer.get("error"):
            raise SystemExit(f"{self.label}: {answer['error']}")
        return answer

    def ask(self, **command):
        self.p.stdin.write(json.dumps(command) + "\n")
        self.p.stdin.flush()
        return self.read()

    def time(self, mode, steps):
        """Returns seconds, images, and the processor seconds used."""
        before = self.cpu()
        answer = self.ask(do=mode, steps=steps)
        answer["cpu"] = None if before is None else self.cpu() - before
        return answer

    def cpu(self):
        fields = proc(self.p.pid, "stat")
        if fields is None:
            return None
        fields = fields.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self):
        """Returns the most memory the process ever had resident, in MiB."""
        for line in (proc(self.p.pid, "status") or "").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return None

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def proc(pid, name):
    """Returns a file of Linux's /proc, or None on other systems."""
    try:
        with open(f"/proc/{pid}/{name}") as f:
            return f.read()
    except OSError:
        return None


def environment(threads):
    """PyTorch built with a generic BLAS does not pass its thread count on."""
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    return {**os.environ, **{name: str(threads) for name in names}}


class Comparison:
    """The command line, with edmbench built and a folder for files."""

    def __init__(self, a, folder):
        self.a, self.folder = a, folder
        self.edmbench = a.edmbench
        if not self.edmbench:
            self.edmbench = os.path.join(folder, "edmbench.exe")
            subprocess.run(["go", "build", "-o", self.edmbench, "./bench/edmbench"], cwd=os.path.dirname(HERE), check=True)

    def edm(self, network, batch, *more):
        return [self.edmbench, "-network", network, "-batch", batch, "-threads", str(self.a.threads), *more]

    def torch(self, network, batch, variant, *more):
        script = os.path.join(HERE, "torchside.py")
        return [self.a.python, "-B", script, "--network", network, "--batch", batch, "--threads", str(self.a.threads),
                "--variant", variant, *more]

    def snapshot(self, network):
        """Returns the path of a snapshot: a preset gets random weights."""
        if os.path.exists(network):
            return network
        path = os.path.join(self.folder, network + ".safetensors")
        subprocess.run([self.edmbench, "-preset", network, "-write", path], check=True)
        return path

    def check(self, path, batch):
        """Compares both sides' numbers for every variant; a difference ends the
        run."""
        recorded = os.path.join(self.folder, "check.safetensors")
        subprocess.run(self.edm(path, batch, "-check", recorded), check=True)
        checks = {}
        for variant in self.a.variant:
            out = subprocess.run(self.torch(path, batch, variant, "--check", recorded), check=True,
                                 stdout=subprocess.PIPE, text=True, env=environment(self.a.threads)).stdout
            errors = json.loads(out)
            for what, limit in TOLERANCE.items():
                if not errors[what] <= limit:
                    raise SystemExit(f"{path}: the sides differ: {what} by {errors[what]:.2e}, at most {limit:g} "
                                     f"is allowed: {errors}")
            checks[variant] = errors
        return checks

    def measure(self, path, batch, mode):
        """Times one mode and returns the sides' figures by name."""
        sides = [Process("edm", self.edm(path, batch), self.a.threads)]
        sides += [Process(v, self.torch(path, batch, v), self.a.threads) for v in self.a.variant]
        steps = [self.warm_up(s, mode) for s in sides]
        timings, gemm = [[] for _ in sides], []
        for n in range(self.a.rounds):
            gemm.append(sides[1].ask(do="matmul")["gflops"])
            order = range(len(sides)) if n % 2 == 0 else reversed(range(len(sides)))
            for i in order:
                # Threads of the side before spin for a moment after their work.
                time.sleep(0.1)
                timings[i].append(sides[i].time(mode, steps[i]))
        gflop = sides[0].about[mode + "_gflop"]
        figures = {s.label: self.figures(s, t, gflop) for s, t in zip(sides, timings)}
        about = {s.label: s.about for s in sides}
        for s in sides:
            s.close()
        return {"figures": figures, "about": about, "gemm_gflops": gemm}

    def warm_up(self, side, mode):
        """Runs a few steps and returns how many fill one timing."""
        side.ask(do=mode, steps=1)
        t = side.ask(do=mode, steps=2)
        return max(1, round(self.a.seconds / (t["seconds"] / 2)))

    def figures(self, side, timings, gflop):
        rates = [t["images"] / t["seconds"] for t in timings]
        rate = statistics.median(rates)
        used = [t for t in timings if t["cpu"]]
        busy = [t["cpu"] / t["seconds"] for t in used]
        work = [t["images"] / t["cpu"] for t in used]
        return {
            "img_per_cpu_s": statistics.median(work) if work else None, "img_per_s": rate, "img_per_s_rounds": rates, "gflops": rate * gflop, "peak_rss_mb": side.peak_mb(),
            "busy_threads": statistics.median(busy) if busy else None,
        }


def ratios(edm, torch):
    """Returns edm's speed over torch's: in each round, their median and range,
    and that of either side's best round."""
    each = [a / b for a, b in zip(edm["img_per_s_rounds"], torch["img_per_s_rounds"])]
    best = max(edm["img_per_s_rounds"]) / max(torch["img_per_s_rounds"])
    return {"rounds": each, "median": statistics.median(each), "min": min(each), "max": max(each), "best": best}


def show(x, digits):
    return "-" if x is None else f"{x:.{digits}f}"


def row(*cells):
    widths = (10, 5, 8, 22, 8, 9, 9, 6, 7)
    print(" ".join(str(c).ljust(w) if i in (0, 2, 3) else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))),
          flush=True)


def report(case, mode, m):
    """Prints the rows of one mode and returns the ratios by variant."""
    result = {}
    for label, f in m["figures"].items():
        ratio = ""
        if label != "edm":
            result[label] = ratios(m["figures"]["edm"], f)
            ratio = f"{result[label]['median']:.2f}x"
        name = label if label == "edm" else "torch " + label
        row(*case, mode, name, show(f["img_per_s"], 2), show(f["gflops"], 1), show(f["peak_rss_mb"], 0),
            show(f["busy_threads"], 2), ratio)
    for label, r in result.items():
        print(f"{'':26}edm / torch {label} a round: {' '.join(f'{x:.2f}' for x in r['rounds'])}; "
              f"median {r['median']:.2f}, of the best rounds {r['best']:.2f}", flush=True)
    return result


def processor():
    for line in (proc("", "cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def load():
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def main():
    a = parse()
    out = {"processor": processor(), "processors": os.cpu_count(), "threads": a.threads, "load_before": load(), "results": []}
    print(f"{out['processor']}, {a.threads} threads of {os.cpu_count()} processors, load {show(load(), 2)}")
    row("network", "batch", "mode", "side", "img/s", "GFLOP/s", "peak MiB", "busy", "ratio")
    with tempfile.TemporaryDirectory() as folder:
        c = Comparison(a, folder)
        for network, batch in a.case:
            path = c.snapshot(network)
            checks = c.check(path, batch)
            case = (os.path.basename(network)[-10:], batch)
            for mode in a.mode:
                m = c.measure(path, batch, mode)
                m.update(network=network, batch=int(batch), mode=mode, check=checks, ratios=report(case, mode, m))
                out["results"].append(m)
    out["load_after"] = load()
    gemm = [g for m in out["results"] for g in m["gemm_gflops"]]
    print(f"PyTorch's sgemm, n = 1536: median {statistics.median(gemm):.0f} GFLOP/s, {min(gemm):.0f} to {max(gemm):.0f}; "
          f"load now {show(load(), 2)}")
    if a.json:
        with open(a.json, "w") as f:
            json.dump(out, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
