"""What the comparison on a GPU says: rows while it runs, and files that hold all of
it after every row."""

import json
import statistics
import subprocess
import time

import gpucheck
import gpusides
import report

SECTION = "gpu"  # of a document that the table is written into
NFE = 35  # evaluations of D that draw an image, as in internal/benchmark
MODES = {"train": ("train_gflop", 1), "forward": ("forward_gflop", 1), "sample": ("forward_gflop", NFE)}

# What edm's speed is to be over PyTorch's, at the least.
GOALS = {"torch eager": 1.0, "torch compile": 0.8, "torch reduce-overhead": 0.8}
OURS = [label for label, _ in gpusides.OURS.values()]

STARTED = time.monotonic()


def progress(text):
    print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


class Table:
    """The rows of all that is to be compared. A row is "not run" until it is timed or
    its side fails, so the files are true whenever the comparison is broken off."""

    def __init__(self, a):
        self.a, self.rows, self.limits, self.about = a, {}, {}, {}
        self.driver = driver()

    def plan(self, case, precision, mode, label):
        self.rows[case, precision, mode, label] = {
            "case": case, "precision": precision, "mode": mode, "side": label, "status": "not run", "reason": "no time was left"}

    def of(self, case, precision, label):
        return [r for r in self.rows.values() if (r["case"], r["precision"], r["side"]) == (case, precision, label)]

    def describe(self, label, about):
        self.about[label] = about

    def check(self, case, precision, checks):
        """Notes what the checks of a case found."""
        for r in self.rows.values():
            if (r["case"], r["precision"]) == (case, precision):
                r["check"] = checks.errors.get(r["side"])
                r["unchecked"] = None if r["check"] else checks.reasons.get(r["side"], "no check was made")

    def fail(self, case, precision, label, status, reason):
        """Notes that a side is no more."""
        for r in self.of(case, precision, label):
            if "img_per_s" in r:
                r["reason"] = "; ".join(filter(None, [r["reason"], f"later: {reason}"]))
            else:
                r["status"], r["reason"] = status, reason
                print_row(r)
        self.write()

    def add(self, case, precision, mode, figures):
        """Notes what was timed in alternation, by label. A side of edm's is timed
        again beside each of PyTorch's, and all of its rounds count."""
        for label, f in figures.items():
            r = self.rows[case, precision, mode, label]
            first = "img_per_s" not in r
            r["img_per_s_rounds"] = r.get("img_per_s_rounds", []) + f["img_per_s_rounds"]
            r["img_per_s"], r["memory"] = statistics.median(r["img_per_s_rounds"]), f["memory"]
            r["tflops"] = self.tflops(mode, r["img_per_s"])
            r["share"] = r["tflops"] / self.limits[precision]["tflops"] if r["tflops"] and precision in self.limits else None
            if label not in OURS:
                r["edm_is_faster_by"] = {ours: report.ratios(figures[ours], f) for ours in OURS if ours in figures}
                r["goals"] = goals(label, r, figures)
            if first:
                r["status"], r["reason"] = judge(r)
                print_row(r)
        self.write()

    def tflops(self, mode, rate):
        what, times = MODES[mode]
        gflop = next((self.about[label][what] for label in OURS if label in self.about), None)
        return gflop and times * rate * gflop / 1e3

    def write(self):
        """Writes what there is so far."""
        if self.a.json:
            report.replace_file(self.a.json, json.dumps(self.all(), indent=1) + "\n")
        if self.a.markdown:
            report.write_document(self.a.markdown, self.markdown(), SECTION)

    def all(self):
        return {"driver": self.driver, "about": self.about, "limits": self.limits, "rounds": self.a.rounds,
                "tolerance": {p: gpucheck.tolerance(p) for p in self.a.precision}, "rows": list(self.rows.values())}

    def print_end(self):
        for line in self.heads():
            print(line)
        for r in self.rows.values():
            if r["status"] == "not run":
                print(f"not run, {r['reason']}: {r['case']} {r['precision']} {r['mode']}, {r['side']}")

    def heads(self):
        """Returns lines about the machine and what runs on it."""
        lines = []
        for label, about in self.about.items():
            if label in OURS:
                lines.append(f"{label}: {about['kernels']}, {about['instructions']}")
            elif not any(line.startswith("PyTorch") for line in lines):
                lines.append(f"PyTorch {about['version']}, CUDA {about.get('cuda', '-')}, cuDNN {about.get('cudnn', '-')}, driver {self.driver}: {about['device']}")
        for precision, found in self.limits.items():
            lines.append(f"{precision}: {found['tflops']:.3g} TFLOP/s in a product of matrices, {found['copy_gb_per_s']:.0f} GB/s in a copy")
        return lines

    def markdown(self):
        """Returns the table as it is now."""
        lines = [f"{line}.  " for line in self.heads()] + [
            f"Medians of {self.a.rounds} rounds beside each side of PyTorch's in one run, their range in brackets.",
            "",
            "| network, batch | precision | mode | side | img/s | TFLOP/s | of the matrix peak | device memory, MiB | edm is faster by | edm's goals met | remark |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        return "\n".join(lines + [markdown_row(r) for r in self.rows.values()]) + "\n"


def driver():
    """Returns the version of NVIDIA's driver."""
    try:
        said = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return said.stdout.splitlines()[0].strip() if said.returncode == 0 and said.stdout else "unknown"


def judge(r):
    """Returns the status of a row that was timed, and a remark."""
    if not r.get("check"):
        return "unchecked", r.get("unchecked") or "no check was made"
    far = gpucheck.verdict(r["check"], r["precision"])
    return ("differs", far) if far else ("ok", "")


def goals(label, r, figures):
    """Returns whether edm's speed and memory are what they are to be beside a side of
    PyTorch's; None where one is not known. Of PyTorch's memory its tensors count, not
    what its allocator keeps beside them."""
    ours = r["edm_is_faster_by"].get(OURS[0])
    a, b = figures[OURS[0]]["memory"]["mib"] if ours else None, r["memory"].get("allocated_mib")
    return {"speed": ours and ours["median"] >= GOALS[label], "memory": None if None in (a, b) else a < b}


def met(r):
    """Says which goals are met."""
    return ", ".join(name if good else f"not {name}" for name, good in r.get("goals", {}).items() if good is not None)


def row(*cells):
    widths = (12, 9, 7, 22, 9, 8, 10, 7, 15, 0)
    print(" ".join(str(c).rjust(w) if 4 <= i <= 7 else str(c).ljust(w) for i, (c, w) in enumerate(zip(cells, widths))).rstrip(), flush=True)


def heading():
    row("case", "precision", "mode", "side", "img/s", "TFLOP/s", "device MiB", "ratio", "goals", "remark")


def print_row(r):
    rate = report.significant(r["img_per_s"]) if "img_per_s" in r else "-"
    by = r.get("edm_is_faster_by", {}).get(OURS[0])
    row(r["case"], r["precision"], r["mode"], r["side"], rate, report.show(r.get("tflops"), 2),
        report.show(r.get("memory", {}).get("mib"), 0), f"{by['median']:.2f}x" if by else "", met(r), remark(r))


def remark(r):
    status = "" if r["status"] == "ok" else r["status"]
    return ": ".join(filter(None, [status, r["reason"]]))


def memory(r):
    """Returns what a side took of the device, and what of that its tensors had
    at once, where it says so."""
    m = r.get("memory", {})
    tensors = m.get("allocated_mib")
    return report.show(m.get("mib"), 0) + (f" (tensors {tensors:.0f})" if tensors is not None else "")


def faster(r):
    each = r.get("edm_is_faster_by", {}).items()
    return ", ".join(f"{label} **{s['median']:.2f}** ({s['min']:.2f} - {s['max']:.2f})" for label, s in each)


def markdown_row(r):
    rates = r.get("img_per_s_rounds")
    spread = f"{report.significant(r['img_per_s'])} ({report.significant(min(rates))} - {report.significant(max(rates))})" if rates else "-"
    share = report.percent(r["share"]) + " %" if r.get("share") else "-"
    cells = [r["case"].replace(":", ", "), r["precision"], r["mode"], r["side"], spread, report.show(r.get("tflops"), 2), share, memory(r),
             faster(r), met(r), remark(r).replace("|", "/")]
    return "| " + " | ".join(cells) + " |"
