"""Whether both sides of the comparison on a GPU compute the same, in the precision
that is timed."""

import json
import os
import subprocess

import sides

BATCH = 8

# In float32 the sides differ by the order of their sums: so peer.py's limits hold,
# and each gradient is held to them. Factors that are rounded to p bits differ by
# 2^-p / sqrt(3) of themselves in the RMS, which is 2^-9 in bf16 (p = 8) and 2^-12
# in TF32 (p = 11). Errors of layers add like independent ones: a product has two
# factors, and there are at most some hundred in a row, so D is within
# sqrt(2 * 128) = 16 such errors. Gradients come back through as many products
# again and with the errors of D, and are held to twice that as one vector, for a
# single one may be as small as an error of the others. A loss is a mean over
# pixels, where errors cancel.
ROUNDING = {"bf16": 2.0**-9, "tf32": 2.0**-12}


def tolerance(precision):
    if precision not in ROUNDING:
        return {"D": 1e-4, "loss": 1e-4, "gradient": 1e-3}
    r = ROUNDING[precision]
    return {"D": 16 * r, "loss": 2 * r, "whole": 32 * r}


def verdict(errors, precision):
    """Says what is too far from the other side's float32, or nothing."""
    limits = tolerance(precision)
    return ", ".join(f"{what} by {errors[what]:.2e}, at most {most:.2e} is allowed"
                     for what, most in limits.items() if not errors[what] <= most)


class Checks:
    """What each side's numbers in one precision are against the other side's in
    float32: by label the errors, or why there are none."""

    def __init__(self, folder, limit):
        self.folder, self.limit = folder, limit
        self.errors, self.reasons = {}, {}

    def run(self, network, precision, ours, exact, eager, others):
        """Checks `ours` in a precision with PyTorch in float32, and PyTorch in the
        precision with `exact`, edm in float32. `eager` is PyTorch without its
        compiler, whose numbers stand for those of the others too."""
        plain = self.record(exact, network, "fp32")
        coarse = {s: plain if s == exact and precision == "fp32" else self.record(s, network, precision) for s in ours}
        self.compare(eager, network, "fp32", {s.label: path for s, path in coarse.items() if path})
        if precision == "fp32":
            found, why = self.errors.get(exact.label), self.reasons.get(exact.label)
            for s in others:
                self.keep(s.label, found, why)
        elif plain:
            self.compare(eager, network, precision, {s.label: plain for s in others})
        else:
            for s in others:
                self.reasons[s.label] = self.reasons.get(exact.label, "edm recorded nothing")

    def keep(self, label, errors, reason):
        if errors:
            self.errors[label] = errors
        else:
            self.reasons[label] = reason

    def record(self, side, network, precision):
        """Has edm write its numbers and returns the file, or None."""
        path = os.path.join(self.folder, f"{side.label} {precision}.safetensors")
        try:
            self.call(side, network, precision, "-check", path)
        except sides.Failed as e:
            self.reasons[side.label] = e.reason
            return None
        return path

    def compare(self, side, network, precision, files):
        """Has PyTorch compare the files, each once."""
        paths = list(dict.fromkeys(files.values()))
        if not paths:
            return
        lines, why = [], ""
        try:
            out = self.call(side, network, precision, *(word for path in paths for word in ("--check", path)))
            lines = [line for line in out.splitlines() if line.startswith("{")]
        except sides.Failed as e:
            why = e.reason
        found = dict(zip(paths, map(json.loads, lines)))
        for label, path in files.items():
            self.keep(label, found.get(path), f"{side.label}: {why or 'compared nothing'}")

    def call(self, side, network, precision, *more):
        """Runs a side to its end and returns what it printed."""
        limit = self.limit()
        try:
            done = subprocess.run(side.words(network, BATCH, precision, *more), capture_output=True, text=True, timeout=limit,
                                  env={**sides.environment(os.cpu_count()), **side.environment})
        except subprocess.TimeoutExpired:
            raise sides.Failed(side.label, f"no answer in {limit:.3g} s", late=True) from None
        except OSError as e:
            raise sides.Failed(side.label, f"does not start: {e}") from e
        if done.returncode:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise sides.Failed(side.label, f"the check ended with exit status {done.returncode}: {said[-1] if said else ''}")
        return done.stdout
