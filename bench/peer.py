#!/usr/bin/env python3
"""Compares the speed of this project with PyTorch's: same network, weights,
batch, cores and run. For every network it first checks that all sides give the
same D, losses and gradients, then times them in alternation and prints a table,
and with --json and --markdown writes the figures. README.md says how they are
measured."""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import report
import sides

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = {"D": 1e-4, "loss": 1e-4, "gradient": 1e-3}
EDM = "edm"


class Interpreter(argparse.Action):
    """--python begins a PyTorch; the variants after it are its own."""

    def __call__(self, parser, namespace, value, option=None):
        namespace.torches = (namespace.torches or []) + [(value, [])]


class Variant(argparse.Action):
    def __call__(self, parser, namespace, value, option=None):
        namespace.torches = namespace.torches or [(sys.executable, [])]
        namespace.torches[-1][1].append(value)


def parse(args=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", action="append", metavar="NETWORK:BATCH",
                   help="preset or snapshot file, and batch; may be repeated (small:16 demo:16 cifar10:4)")
    p.add_argument("--mode", action="append", choices=["train", "forward"], help="may be repeated (both)")
    p.add_argument("--python", action=Interpreter, dest="torches",
                   help="interpreter that has a PyTorch; may be repeated, each with variants behind it (this one)")
    p.add_argument("--variant", action=Variant, dest="torches", metavar="NAMES",
                   help="how the PyTorch named before runs: eager, channels_last, compile, sdpa, fused, joined by +; may be repeated (eager)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of every side (all processors)")
    p.add_argument("--scaling", choices=["none", "edm", "all"], default="edm", help="sides that also run on one thread (edm)")
    p.add_argument("--rounds", type=int, default=7, help="timings of each side (7)")
    p.add_argument("--seconds", type=float, default=2.0, help="length of one timing, about (2)")
    p.add_argument("--edmbench", help="built edmbench (built from the tree)")
    p.add_argument("--json", metavar="FILE", help="write all figures")
    p.add_argument("--markdown", metavar="FILE", help="write the table, to a new file or between the markers of a document")
    a = p.parse_args(args)
    a.case = [c.rsplit(":", 1) for c in a.case or ["small:16", "demo:16", "cifar10:4"]]
    for c in a.case:
        if len(c) != 2 or not c[1].isdigit() or int(c[1]) < 1:
            p.error(f"--case {':'.join(c)!r}, want NETWORK:BATCH")
    if a.rounds < 1 or a.threads < 1 or not a.seconds > 0:
        p.error("--rounds and --threads must be at least 1, --seconds above 0")
    if a.markdown:
        report.check_document(a.markdown)
    a.mode = a.mode or ["train", "forward"]
    a.torches = [(python, variants or ["eager"]) for python, variants in a.torches or [(sys.executable, [])]]
    return a


class Torch:
    """One way of running one PyTorch."""

    def __init__(self, python, version, variant):
        self.python, self.version, self.variant = python, version, variant
        self.label = f"torch {version} {variant}"


def torches(a):
    """Returns every PyTorch to compare with."""
    found = []
    for python, variants in a.torches:
        out = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], stdout=subprocess.PIPE, text=True)
        if out.returncode != 0:
            raise SystemExit(f"{python} has no PyTorch: install one, or name another interpreter with --python")
        version = out.stdout.strip().split("+")[0]
        found += [Torch(python, version, v) for v in variants]
    labels = [t.label for t in found]
    if len(set(labels)) != len(labels):
        raise SystemExit(f"a side is there twice: {', '.join(labels)}")
    return found


def agree(path, t, errors):
    """Ends the run if the numbers of edm and of a PyTorch differ."""
    for what, limit in TOLERANCE.items():
        if not errors[what] <= limit:
            raise SystemExit(f"{path}: edm and {t.label} differ: {what} by {errors[what]:.2e}, at most {limit:g} is allowed: {errors}")


class Comparison:
    """The command line, with edmbench built and a folder for files."""

    def __init__(self, a, folder):
        self.a, self.folder, self.torches = a, folder, torches(a)
        self.edmbench, self.unsettled = a.edmbench, 0
        if not self.edmbench:
            self.edmbench = os.path.join(folder, "edmbench.exe")
            subprocess.run(["go", "build", "-o", self.edmbench, "./bench/edmbench"], cwd=os.path.dirname(HERE), check=True)

    def edm(self, network, batch, *more, threads=None):
        return [self.edmbench, "-network", network, "-batch", batch, "-threads", str(threads or self.a.threads), *more]

    def torch(self, t, network, batch, *more, threads=None):
        script = os.path.join(HERE, "torchside.py")
        return [t.python, "-B", script, "--network", network, "--batch", batch, "--threads", str(threads or self.a.threads),
                "--variant", t.variant, *more]

    def snapshot(self, network):
        """Returns the path of a snapshot: a preset gets random weights."""
        if os.path.exists(network):
            return network
        path = os.path.join(self.folder, network + ".safetensors")
        subprocess.run([self.edmbench, "-preset", network, "-write", path], check=True)
        return path

    def check(self, path, batch):
        """Compares all sides' numbers; a difference ends the run."""
        recorded = os.path.join(self.folder, "check.safetensors")
        subprocess.run(self.edm(path, batch, "-check", recorded), check=True)
        checks = {}
        for t in self.torches:
            out = subprocess.run(self.torch(t, path, batch, "--check", recorded), check=True,
                                 stdout=subprocess.PIPE, text=True, env=sides.environment(self.a.threads)).stdout
            checks[t.label] = errors = json.loads(out.splitlines()[-1])
            agree(path, t, errors)
        return checks

    def commands(self, path, batch):
        """Returns label, command and threads of every side."""
        all = [(EDM, self.edm(path, batch), self.a.threads)]
        all += [(t.label, self.torch(t, path, batch), self.a.threads) for t in self.torches]
        if self.a.threads > 1 and self.a.scaling != "none":
            all.append((one_thread(EDM), self.edm(path, batch, threads=1), 1))
        if self.a.threads > 1 and self.a.scaling == "all":
            all += [(one_thread(t.label), self.torch(t, path, batch, threads=1), 1) for t in self.torches]
        return all

    def measure(self, path, batch, mode):
        """Times one mode and returns the figures of all sides by label."""
        with contextlib.ExitStack() as running:
            all = []
            for label, command, threads in self.commands(path, batch):
                all.append(sides.Process(label, command, threads))
                running.callback(all[-1].close)
            # All are compiled and warm before the first round.
            steps = [max(1, round(self.a.seconds / s.warm_up(mode))) for s in all]
            timings, peaks, gemm = self.rounds(all, mode, steps)
            gflop = all[0].about[mode + "_gflop"]
            figures = {s.label: figures_of(s, t, gflop, peaks) for s, t in zip(all, timings)}
            about = {s.label: s.about for s in all}
        return {
            "figures": figures, "about": about, "fma_peak_gflops": peaks, "gemm_gflops": gemm,
            "ratios": {t.label: report.ratios(figures[EDM], figures[t.label]) for t in self.torches},
            "best": self.best(figures), "scaling": self.scaling(figures),
        }

    def rounds(self, all, mode, steps):
        """Times all sides in alternation, the order turning round every time,
        with what the processor and PyTorch's BLAS can do in between."""
        timings, gemm = [[] for _ in all], []
        peaks = {str(n): [] for n in (1, self.a.threads)}
        torch = next(s for s in all if s.label != EDM)
        for n in range(self.a.rounds):
            self.settle(all)
            for threads, rates in peaks.items():
                rates.append(all[0].ask(do="peak", threads=int(threads))["gflops"])
            gemm.append(torch.ask(do="matmul")["gflops"])
            order = range(len(all)) if n % 2 == 0 else reversed(range(len(all)))
            for i in order:
                self.settle(all)
                timings[i].append(all[i].time(mode, steps[i]))
        return timings, peaks, gemm

    def settle(self, all):
        if not sides.settle(all):
            self.unsettled += 1

    def best(self, figures):
        """Returns the fastest way of running each PyTorch by its version."""
        best = {}
        for t in self.torches:
            rate = figures[t.label]["img_per_s"]
            if t.version not in best or rate > best[t.version]["img_per_s"]:
                ratio = report.ratios(figures[EDM], figures[t.label])["median"]
                best[t.version] = {"version": t.version, "variant": t.variant, "label": t.label, "img_per_s": rate, "ratio": ratio}
        return best

    def scaling(self, figures):
        """Returns what all threads give over one, by side."""
        result = {"threads": self.a.threads}
        for label, f in figures.items():
            if one_thread(label) in figures:
                result[label] = report.ratios(f, figures[one_thread(label)])
        return result


def one_thread(label):
    return label + ", 1 thread"


def figures_of(side, timings, gflop, peaks):
    rates = [t["images"] / t["seconds"] for t in timings]
    rate = statistics.median(rates)
    used = [t for t in timings if t["cpu"]]
    busy = [t["cpu"] / t["seconds"] for t in used]
    work = [t["images"] / t["cpu"] for t in used]
    return {
        "threads": side.threads, "img_per_s": rate, "img_per_s_rounds": rates, "gflops": rate * gflop,
        "share_of_peak": rate * gflop / max(peaks[str(side.threads)]),
        "img_per_cpu_s": statistics.median(work) if work else None,
        "peak_rss_mb": side.peak_mb(), "busy_threads": statistics.median(busy) if busy else None,
    }


def processor():
    for line in (sides.proc("", "cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def load():
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def main(args=None):
    a = parse(args)
    out = {"processor": processor(), "processors": os.cpu_count(), "threads": a.threads, "rounds": a.rounds,
           "load_before": load(), "results": []}
    print(f"{out['processor']}, {a.threads} threads of {out['processors']} processors, load {report.show(out['load_before'], 2)}")
    with tempfile.TemporaryDirectory() as folder:
        c = Comparison(a, folder)
        report.heading()
        for network, batch in a.case:
            path = c.snapshot(network)
            checks = c.check(path, batch)
            for mode in a.mode:
                m = {"network": network, "batch": int(batch), "mode": mode, "check": checks, **c.measure(path, batch, mode)}
                report.print_result(m)
                out["results"].append(m)
        out["unsettled"] = c.unsettled
    out["instructions"] = out["results"][0]["about"][EDM]["instructions"]
    out["load_after"] = load()
    report.print_end(out)
    if a.json:
        with open(a.json, "w") as f:
            json.dump(out, f, indent=1)
            f.write("\n")
    if a.markdown:
        report.write_document(a.markdown, report.markdown(out))


if __name__ == "__main__":
    main()
