"""What the comparison on a GPU prints: rows while it runs, and a Markdown table
at the end."""

import os

import report

SECTION = "gpu"  # of a document that the table is written into

# What edm's speed is to be over PyTorch's, at the least.
GOALS = {"eager": 1.0, "compile": 0.8}


def goals(variant, ours, other):
    """Returns the ratios of speed and of memory, and whether they are what they
    are to be; None where the memory is not known. Of PyTorch's memory its tensors
    count, not what its allocator keeps beside them."""
    speed = report.ratios(ours, other)
    a, b = ours["memory"]["mib"], other["memory"]["allocated_mib"]
    return {
        "speed": speed, "speed_goal": GOALS[variant], "speed_met": speed["median"] >= GOALS[variant],
        "memory": None if None in (a, b) else a / b, "memory_met": None if None in (a, b) else a < b,
    }


def row(*cells):
    widths = (10, 5, 9, 7, 22, 9, 8, 10, 7, 13)
    print(" ".join(str(c).ljust(w) if i in (0, 2, 3, 4, 9) else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))),
          flush=True)


def heading():
    row("network", "batch", "precision", "mode", "side", "img/s", "TFLOP/s", "device MiB", "ratio", "goal")


def print_result(m):
    """Prints the rows of one network, batch, precision and mode."""
    for label, f in m["figures"].items():
        ratio, goal = "", ""
        if label in m["goals"]:
            g = m["goals"][label]
            ratio, goal = f"{g['speed']['median']:.2f}x", verdict(g)
        row(os.path.basename(m["network"])[-10:], m["batch"], m["precision"], m["mode"], label, report.significant(f["img_per_s"]),
            report.show(f["tflops"], 2), report.show(f["memory"]["mib"], 0), ratio, goal)


def memory(f):
    """Returns what a side took of the device, and what of that its tensors had
    at once, where it says so."""
    m = f["memory"]
    tensors = m.get("allocated_mib")
    return report.show(m["mib"], 0) + (f" (tensors {tensors:.0f})" if tensors is not None else "")


def verdict(g):
    """Says which goals are met: speed, and memory where it is known."""
    said = [word if g[key] else "not " + word for key, word in (("speed_met", "speed"), ("memory_met", "memory")) if g[key] is not None]
    return ", ".join(said)


def print_end(out):
    for text in out["not_run"]:
        print(f"not run, no time was left: {text}")


def device(m):
    """Returns what PyTorch calls the device, and what it measured of it."""
    side = next(about for label, about in m["about"].items() if label in m["goals"])
    limits = m["limits"]
    return (f"{side['device']}, PyTorch {side['version']}: {limits['tflops']:.3g} TFLOP/s in a product of matrices in {m['precision']}, "
            f"{limits['copy_gb_per_s']:.0f} GB/s in a copy")


def markdown(out):
    """Returns the final table."""
    devices = dict.fromkeys(device(m) for m in out["results"])
    lines = [f"{d}.  " for d in devices] + [
        f"Medians of {out['rounds']} rounds in one run, their range in brackets.",
        "",
        "| network, batch | precision | mode | side | img/s | TFLOP/s | of the matrix peak | device memory, MiB | edm is faster by | in the rounds | edm's goals met |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for m in out["results"]:
        lines += [markdown_row(m, label, f) for label, f in m["figures"].items()]
    lines += [""] * bool(out["not_run"]) + [f"Not run, for want of time: {text}.  " for text in out["not_run"]]
    return "\n".join(lines).rstrip() + "\n"


def markdown_row(m, label, f):
    rates, g = f["img_per_s_rounds"], m["goals"].get(label)
    share = report.percent(f["tflops"] / m["limits"]["tflops"]) + " %"
    spread = f"{report.significant(f['img_per_s'])} ({report.significant(min(rates))} - {report.significant(max(rates))})"
    cells = [report.name(m), m["precision"], m["mode"], label, spread, f"{f['tflops']:.3g}", share, memory(f)]
    if g:
        s = g["speed"]
        cells += [f"**{s['median']:.2f}**, of {g['speed_goal']:g}", f"{s['min']:.2f} - {s['max']:.2f}", verdict(g)]
    else:
        cells += ["", "", ""]
    return "| " + " | ".join(cells) + " |"
