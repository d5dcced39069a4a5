#!/usr/bin/env python3
"""Compares the speed and the memory of training and sampling on a GPU with
PyTorch's on the same GPU in the same run, eager and compiled. It first checks
that both compute the same in float32, then times them in alternation, prints a
table and, with --json and --markdown, writes the figures. README.md says how
they are measured."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import gpureport
import peer
import report
import sides

# How PyTorch runs, by the name in the table.
BEST = "channels_last+fused+sdpa"
VARIANTS = {"eager": BEST, "compile": BEST + "+compile"}
NFE = 35  # evaluations of D that draw an image, as in internal/benchmark
MODES = {"train": ("train_gflop", 1), "forward": ("forward_gflop", 1), "sample": ("forward_gflop", NFE)}
CHECK_BATCH = 8
MATRIX = 8192  # side of the matrices whose product measures the GPU


def parse(args=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", action="append", metavar="NETWORK:BATCH",
                   help="preset or snapshot file, and batch; may be repeated (small:512 cifar10:128 cifar10:512)")
    p.add_argument("--precision", action="append", choices=["bf16", "tf32", "fp32"], help="may be repeated (bf16 tf32)")
    p.add_argument("--mode", action="append", choices=list(MODES), help="may be repeated (train sample)")
    p.add_argument("--variant", action="append", choices=list(VARIANTS), help="PyTorch's; may be repeated (eager compile)")
    p.add_argument("--device", default="cuda", help="of edm: cuda, cuda:N or cpu (cuda)")
    p.add_argument("--torch-device", help="of PyTorch (that of edm)")
    p.add_argument("--python", default=sys.executable, help="interpreter that has PyTorch (this one)")
    p.add_argument("--edmbench", help="edmbench, built with -tags gpu (built from the tree)")
    p.add_argument("--rounds", type=int, default=5, help="timings of each side (5)")
    p.add_argument("--seconds", type=float, default=1.0, help="length of one timing, about (1)")
    p.add_argument("--matrix", type=int, default=MATRIX, help=f"side of the matrices that measure the GPU ({MATRIX})")
    p.add_argument("--budget", type=float, default=float("inf"), help="seconds for all of it: comparisons for which none are left are not run")
    p.add_argument("--json", metavar="FILE", help="write all figures, after every comparison")
    p.add_argument("--markdown", metavar="FILE", help="write the table likewise, to a new file or between the markers of a document")
    a = p.parse_args(args)
    a.case = [c.rsplit(":", 1) for c in a.case or ["small:512", "cifar10:128", "cifar10:512"]]
    for c in a.case:
        if len(c) != 2 or not c[1].isdigit() or int(c[1]) < 1:
            p.error(f"--case {':'.join(c)!r}, want NETWORK:BATCH")
    if a.rounds < 1 or a.matrix < 1 or not a.seconds > 0 or not a.budget > 0:
        p.error("--rounds and --matrix must be at least 1, --seconds and --budget above 0")
    if a.markdown:
        report.check_document(a.markdown, gpureport.SECTION)
    a.precision, a.mode = a.precision or ["bf16", "tf32"], a.mode or ["train", "sample"]
    a.variant, a.torch_device = a.variant or list(VARIANTS), a.torch_device or a.device
    return a


class Comparison:
    """The command line, with a folder for files and edmbench built."""

    def __init__(self, a, folder):
        self.a, self.folder, self.checks = a, folder, {}
        self.torches = peer.torches(argparse.Namespace(torches=[(a.python, a.variant)]))
        self.edmbench = a.edmbench or self.build()

    def build(self):
        """Builds edmbench with CUDA and returns its path."""
        path, top = os.path.join(self.folder, "edmbench"), os.path.dirname(peer.HERE)
        build = f"make -s cuda-binding && . build/cuda/env.sh && go build -tags gpu -o '{path}' ./bench/edmbench"
        subprocess.run(["sh", "-c", build], cwd=top, check=True)
        return path

    def edm(self, network, batch, precision, *more):
        return [self.edmbench, "-network", network, "-batch", str(batch), "-device", self.a.device, "-precision", precision, *more]

    def torch(self, t, network, batch, precision, *more):
        return [t.python, "-B", os.path.join(peer.HERE, "torchside.py"), "--network", network, "--batch", str(batch),
                "--threads", str(os.cpu_count()), "--device", self.a.torch_device, "--precision", precision,
                "--variant", VARIANTS[t.variant], *more]

    def snapshot(self, network):
        """Returns the path of a snapshot: a preset gets random weights."""
        path = os.path.join(self.folder, network + ".safetensors")
        if os.path.exists(network):
            return network
        if not os.path.exists(path):
            subprocess.run([self.edmbench, "-preset", network, "-write", path], check=True)
        return path

    def check(self, path):
        """Holds D, losses and gradients of PyTorch without its compiler against
        edm's, both in float32 on their device; a difference ends the run."""
        if path in self.checks:
            return self.checks[path]
        t = peer.Torch(self.a.python, self.torches[0].version, "eager")
        recorded = os.path.join(self.folder, "check.safetensors")
        subprocess.run(self.edm(path, CHECK_BATCH, "fp32", "-check", recorded), check=True)
        out = subprocess.run(self.torch(t, path, CHECK_BATCH, "fp32", "--check", recorded), check=True, stdout=subprocess.PIPE, text=True)
        errors = json.loads(out.stdout.splitlines()[-1])
        peer.agree(path, t, errors)
        self.checks[path] = errors
        return errors

    def compare(self, network, batch, precision):
        """Times all modes of one network, batch and precision. A process runs
        them all, so that PyTorch compiles once."""
        path = self.snapshot(network)
        checks = self.check(path)
        results = []
        with contextlib.ExitStack() as running:
            all = []
            for label, command in self.commands(path, batch, precision):
                all.append(sides.Process(label, command, os.cpu_count()))
                running.callback(all[-1].close)
            limits = all[1].ask(do="limits", size=self.a.matrix)
            for mode in self.a.mode:
                results.append({"network": network, "batch": int(batch), "precision": precision, "mode": mode, "check": checks,
                                "limits": limits, **self.measure(all, mode)})
                gpureport.print_result(results[-1])
        return results

    def commands(self, path, batch, precision):
        """Returns label and command of every side, edm first."""
        return [(peer.EDM, self.edm(path, batch, precision))] + [(t.label, self.torch(t, path, batch, precision)) for t in self.torches]

    def measure(self, all, mode):
        """Times one mode on sides that are up and returns the figures."""
        steps, memory = [], []
        for s in all:  # one after the other: what a device has left says what each took
            steps.append(max(1, round(self.a.seconds / s.warm_up(mode))))
            memory.append(s.ask(do="memory") if self.separate(s) else {"mib": None, "allocated_mib": None})
        timings = [[] for _ in all]
        for n in range(self.a.rounds):
            order = range(len(all)) if n % 2 == 0 else reversed(range(len(all)))
            for i in order:
                sides.settle(all)
                timings[i].append(all[i].time(mode, steps[i]))
        what, times = MODES[mode]
        gflop = times * all[0].about[what]
        figures = {s.label: figures_of(t, gflop, m) for s, t, m in zip(all, timings, memory)}
        ours = figures[peer.EDM]
        goals = {t.label: gpureport.goals(t.variant, ours, figures[t.label]) for t in self.torches}
        return {"figures": figures, "goals": goals, "about": {s.label: s.about for s in all}}

    def separate(self, side):
        """Reports whether a side's device has a memory of its own."""
        return (self.a.device if side.label == peer.EDM else self.a.torch_device) != "cpu"


def figures_of(timings, gflop, memory):
    rates = [t["images"] / t["seconds"] for t in timings]
    rate = statistics.median(rates)
    return {"img_per_s": rate, "img_per_s_rounds": rates, "tflops": rate * gflop / 1e3, "memory": memory}


class Budget:
    """The time that is left, and whether another comparison fits: the first one
    does, others may take as long as the longest so far and half as much again."""

    def __init__(self, seconds):
        self.end, self.longest = time.monotonic() + seconds, 0.0

    def fits(self):
        return self.longest == 0 or time.monotonic() + 1.5 * self.longest < self.end

    def spend(self, work):
        start = time.monotonic()
        result = work()
        self.longest = max(self.longest, time.monotonic() - start)
        return result


def write(a, out):
    """Writes what there is so far."""
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)
            f.write("\n")
    if a.markdown:
        report.write_document(a.markdown, gpureport.markdown(out), gpureport.SECTION)


def main(args=None):
    a = parse(args)
    out = {"rounds": a.rounds, "results": [], "not_run": []}
    budget = Budget(a.budget)
    with tempfile.TemporaryDirectory() as folder:
        c = Comparison(a, folder)
        gpureport.heading()
        for network, batch in a.case:
            for precision in a.precision:
                if not budget.fits():
                    out["not_run"].append(f"{network}, {batch} in {precision}")
                    continue
                out["results"] += budget.spend(lambda: c.compare(network, batch, precision))
                write(a, out)
    write(a, out)
    gpureport.print_end(out)


if __name__ == "__main__":
    main()
