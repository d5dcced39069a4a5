#!/usr/bin/env python3
"""Compares the speed and the memory of training and sampling on a GPU with
PyTorch's on the same GPU in the same run. It checks that all sides compute the
same, times them in alternation, prints a row for each and, with --json and
--markdown, writes the figures. A side that fails gets a row that says why, and
the others go on. README.md says how they are measured."""

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
import gpucheck
import gpureport
import gpusides
import peer
import report
import sides

MATRIX = 8192  # side of the matrices whose product measures the GPU
CASES = ["cifar10:128", "cifar10:512", "small:512"]


def parse(args=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", action="append", metavar="NETWORK:BATCH",
                   help=f"preset or snapshot file, and batch; may be repeated ({' '.join(CASES)})")
    p.add_argument("--precision", action="append", choices=["bf16", "tf32", "fp32"], help="may be repeated (bf16 tf32)")
    p.add_argument("--mode", action="append", choices=list(gpureport.MODES), help="may be repeated (train sample)")
    p.add_argument("--variant", action="append", choices=list(gpusides.THEIRS), help="PyTorch's; may be repeated (all)")
    p.add_argument("--edm-variant", action="append", choices=list(gpusides.OURS), help="edm's in bf16; may be repeated (all)")
    p.add_argument("--device", default="cuda", help="of edm: cuda, cuda:N or cpu (cuda)")
    p.add_argument("--torch-device", help="of PyTorch (that of edm)")
    p.add_argument("--python", default=sys.executable, help="interpreter that has PyTorch (this one)")
    p.add_argument("--edmbench", help="edmbench, built with -tags gpu (built from the tree)")
    p.add_argument("--rounds", type=int, default=5, help="timings of each side (5)")
    p.add_argument("--seconds", type=float, default=1.0, help="length of one timing, about (1)")
    p.add_argument("--matrix", type=int, default=MATRIX, help=f"side of the matrices that measure the GPU ({MATRIX})")
    p.add_argument("--limit", type=float, default=300, help="seconds that a side may take to answer (300)")
    p.add_argument("--budget", type=float, default=float("inf"), help="seconds for all of it: what is left then is not run")
    p.add_argument("--json", metavar="FILE", help="write all figures, after every row")
    p.add_argument("--markdown", metavar="FILE", help="write the table likewise, to a new file or between the markers of a document")
    a = p.parse_args(args)
    a.case = [c.rsplit(":", 1) for c in a.case or CASES]
    for c in a.case:
        if len(c) != 2 or not c[1].isdigit() or int(c[1]) < 1:
            p.error(f"--case {':'.join(c)!r}, want NETWORK:BATCH")
    if a.rounds < 1 or a.matrix < 1 or not a.seconds > 0 or not a.budget > 0 or not a.limit > 0:
        p.error("--rounds and --matrix must be at least 1, --seconds, --budget and --limit above 0")
    if a.markdown:
        report.check_document(a.markdown, gpureport.SECTION)
    a.precision, a.mode = a.precision or ["bf16", "tf32"], a.mode or ["train", "sample"]
    a.variant, a.edm_variant = a.variant or list(gpusides.THEIRS), a.edm_variant or list(gpusides.OURS)
    a.torch_device = a.torch_device or a.device
    return a


class OutOfTime(Exception):
    """The budget is spent."""


class Clock:
    """The budget, and how long an answer may take."""

    def __init__(self, budget, limit):
        self.end, self.longest = time.monotonic() + budget, limit

    def left(self):
        return self.end - time.monotonic()

    def limit(self):
        """Returns the seconds that an answer may take."""
        if self.left() <= 0:
            raise OutOfTime
        return min(self.longest, self.left())


class Comparison:
    """One network, batch and precision. Its sides stay up while all modes are timed,
    so that PyTorch compiles once; of PyTorch's, one is up at a time."""

    def __init__(self, a, folder, edmbench, clock, table, case, precision):
        self.a, self.folder, self.clock, self.table = a, folder, clock, table
        self.network, self.batch, self.precision = *case, precision
        self.ours, self.theirs = gpusides.ours(a, precision, edmbench), gpusides.theirs(a)
        self.running, self.up, self.steps = contextlib.ExitStack(), {}, {}
        self.case = report.name({"network": self.network, "batch": self.batch}).replace(", ", ":")
        for mode in a.mode:
            for s in self.ours + self.theirs:
                table.plan(self.case, precision, mode, s.label)

    def run(self):
        with self.running:
            path = self.guard(self.ours + self.theirs, self.snapshot)
            if path is None:
                return
            checks = gpucheck.Checks(self.folder, self.clock.limit)
            checks.run(path, self.precision, self.ours, self.ours[0], gpusides.torch(self.a, "eager"), self.theirs)
            self.table.check(self.case, self.precision, checks)
            for s in self.ours:
                self.start(s, path)
            self.group([])
            for s in self.theirs:
                self.start(s, path)
                if s in self.up:
                    self.guard([s], self.limits, s)
                    self.group([s])
                self.stop(s)

    def snapshot(self):
        """Returns the path of a snapshot: a preset gets random weights."""
        if os.path.exists(self.network):
            return self.network
        path = os.path.join(self.folder, self.network + ".safetensors")
        if not os.path.exists(path):
            command = [*self.ours[0].command, "-preset", self.network, "-write", path]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=self.clock.limit())
            if done.returncode:
                raise sides.Failed("edmbench", f"wrote no snapshot: {done.stderr.strip()}")
        return path

    def guard(self, blamed, work, *args):
        """Returns what work returns. Should it fail, the rows of those blamed say
        why, they are stopped, and None is returned."""
        try:
            return work(*args)
        except (sides.Failed, subprocess.TimeoutExpired) as e:
            late = getattr(e, "late", True)
            for s in blamed:
                if late and self.clock.left() <= 0:
                    continue  # Its rows say already that no time was left.
                self.table.fail(self.case, self.precision, s.label, "timeout" if late else "failed", getattr(e, "reason", str(e)))
        for s in blamed:
            self.stop(s)
        return None

    def start(self, s, path):
        gpureport.progress(f"{self.case} {self.precision}: {s.label} starts")
        p = self.guard([s], lambda: s.start(path, self.batch, self.precision, limit=self.clock.limit))
        if p:
            self.up[s] = p
            self.running.callback(p.close)
            self.table.describe(s.label, p.about)

    def stop(self, s):
        p = self.up.pop(s, None)
        if p:
            p.kill()

    def limits(self, s):
        """Measures what the GPU has to give, once in each precision."""
        if self.precision not in self.table.limits:
            self.table.limits[self.precision] = self.up[s].ask(do="limits", size=self.a.matrix)

    def group(self, others):
        """Times edm's sides, and beside them others."""
        for mode in self.a.mode:
            timed = self.rounds([s for s in self.ours + others if s in self.up], mode)
            self.table.add(self.case, self.precision, mode, {s.label: figures_of(*t) for s, t in timed.items()})

    def rounds(self, group, mode):
        """Returns the timings and the memory of the sides that lived to the end."""
        memory = {}
        for s in group:  # one after the other: what a device has left says what each took
            memory[s] = self.guard([s], self.warm_up, s, mode)
        timings = {s: [] for s in group if memory[s]}
        took = 0.0
        for n in range(self.a.rounds):
            start = time.monotonic()
            if n and self.clock.left() < 1.5 * took:
                break
            for s in list(timings) if n % 2 == 0 else list(reversed(timings)):
                sides.settle([self.up[t] for t in timings])
                t = self.guard([s], lambda: self.up[s].time(mode, self.steps[s, mode]))
                if t:
                    timings[s].append(t)
                else:
                    del timings[s]
            took = time.monotonic() - start
        return {s: (t, memory[s]) for s, t in timings.items()}

    def warm_up(self, s, mode):
        if (s, mode) not in self.steps:
            self.steps[s, mode] = max(1, round(self.a.seconds / self.up[s].warm_up(mode)))
        if s.device == "cpu":
            return {"mib": None}
        return self.up[s].ask(do="memory")


def figures_of(timings, memory):
    rates = [t["images"] / t["seconds"] for t in timings]
    return {"img_per_s": statistics.median(rates), "img_per_s_rounds": rates, "memory": memory}


def build(folder):
    """Builds edmbench with CUDA and returns its path."""
    path, top = os.path.join(folder, "edmbench"), os.path.dirname(peer.HERE)
    command = f"make -s cuda-binding && . build/cuda/env.sh && go build -tags gpu -o '{path}' ./bench/edmbench"
    subprocess.run(["sh", "-c", command], cwd=top, check=True)
    return path


def main(args=None):
    a = parse(args)
    clock = Clock(a.budget, a.limit)
    with tempfile.TemporaryDirectory() as folder:
        edmbench = a.edmbench or build(folder)
        table = gpureport.Table(a)
        all = [Comparison(a, folder, edmbench, clock, table, case, precision) for case in a.case for precision in a.precision]
        table.write()
        gpureport.heading()
        with contextlib.suppress(OutOfTime):
            for c in all:
                c.run()
    table.write()
    table.print_end()


if __name__ == "__main__":
    main()
