"""What the logs of steps say in short. Each function takes a log's path and raises
ValueError where the log shows a failure that the exit status does not."""

import collections
import csv
import json
import re


def text(path):
    with open(path, errors="replace") as f:
        return f.read()


def tests(path):
    """How many tests passed, and which did not. A skipped test, or none at all, is a
    failure: the machine has a GPU."""
    ended = re.findall(r"^--- (PASS|FAIL|SKIP): (\S+)", text(path), re.M)
    passed = sum(how == "PASS" for how, _ in ended)
    others = [f"{how} {name}" for how, name in ended if how != "PASS"]
    said = ", ".join([f"{passed} passed", *others[:20]])
    if others or not passed:
        raise ValueError(said)
    return said


def device(path):
    """The GPU's name and the driver's version, of nvidia-smi's first screen."""
    said = text(path)
    names = re.findall(r"^\|\s+\d+\s+(NVIDIA[^|]*?)\s{2,}", said, re.M)
    driver = re.search(r"Driver Version: (\S+)", said)
    return ", ".join([*names, "driver " + (driver.group(1) if driver else "unknown")])


def hello(path):
    """What the project says of the device."""
    said = json.loads(text(path).splitlines()[0])
    return f"{said['kernels']}: {said['instructions']}"


def speed(path):
    """Images a second of training and evaluation, and the slowest operations."""
    said = json.loads(text(path).splitlines()[-1])
    gpu = said["gpu"]
    lines = [f"training {said['train_img_per_s']:g} img/s, evaluation {said['forward_img_per_s']:g} img/s; "
             f"{100 * said['train_share_of_peak']:.0f} and {100 * said['forward_share_of_peak']:.0f} % of {said['fma_peak_gflops'] / 1e3:.4g} TFLOP/s; "
             f"copies {gpu['copy_peak_gb_per_s']:g} GB/s; {said['kernels']}"]
    for o in gpu["operations"][:8]:
        lines.append(f"  {o['ms']:8.3f} ms, {o['calls']:4} calls, {100 * o['share_of_peak']:3.0f} % of {o['limit']}: {o['name']}")
    return "\n".join(lines)


def comparison(path):
    """A line for each row of the comparison with PyTorch."""
    rows = json.loads(text(path))["rows"]
    if not any(r["status"] in ("ok", "differs", "unchecked") for r in rows):
        raise ValueError("no side was timed")
    lines = []
    for r in rows:
        what = f"{r['case']} {r['precision']} {r['mode']}, {r['side']}"
        rate = f"{r['img_per_s']:.4g} img/s, " if r.get("img_per_s") else ""
        by = "".join(f", {ours} is {x['median']:.2f} times as fast" for ours, x in r.get("edm_is_faster_by", {}).items())
        lines.append(f"{what}: {rate}{r['status']}{by}" + (f" ({r['reason']})" if r.get("reason") else ""))
    return "\n".join(lines)


def kernels(path):
    """The ten kernels that took the most time, of ncu's table."""
    table = [line for line in text(path).splitlines() if line.startswith('"')]
    times = collections.Counter()
    for r in csv.DictReader(table):
        times[r["Kernel Name"].split("(")[0]] += float(r["Metric Value"].replace(",", ""))
    if not times:
        raise ValueError("no kernel was seen")
    return "\n".join(f"{t / 1e6:8.3f} ms {name}" for name, t in times.most_common(10))
