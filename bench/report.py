"""What a comparison prints: rows while it runs, and a Markdown table at the
end."""

import os
import re
import statistics

SECTION = "peer"  # of a document that the table of peer.py is written into


def ratios(ours, other):
    """Returns our speed over the other's: in each round, their median and
    range, and that of either side's best round."""
    each = [a / b for a, b in zip(ours["img_per_s_rounds"], other["img_per_s_rounds"])]
    best = max(ours["img_per_s_rounds"]) / max(other["img_per_s_rounds"])
    return {"rounds": each, "median": statistics.median(each), "min": min(each), "max": max(each), "best": best}


def show(x, digits):
    return "-" if x is None else f"{x:.{digits}f}"


def percent(x):
    return f"{100 * x:.0f}"


def significant(x):
    """Returns a rate with three digits or all before the point."""
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def row(*cells):
    widths = (10, 5, 8, 42, 8, 8, 6, 9, 6, 7)
    print(" ".join(str(c).ljust(w) if i in (0, 2, 3) else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))),
          flush=True)


def heading():
    row("network", "batch", "mode", "side", "img/s", "GFLOP/s", "peak %", "RSS MiB", "busy", "ratio")


def print_result(m):
    """Prints the rows of one network, batch and mode, then the ratios of every
    round."""
    for label, f in m["figures"].items():
        ratio = f"{m['ratios'][label]['median']:.2f}x" if label in m["ratios"] else ""
        row(os.path.basename(m["network"])[-10:], m["batch"], m["mode"], label, show(f["img_per_s"], 2), show(f["gflops"], 1),
            percent(f["share_of_peak"]), show(f["peak_rss_mb"], 0), show(f["busy_threads"], 2), ratio)
    for label, r in m["ratios"].items():
        print(f"{'':26}edm / {label} a round: {' '.join(f'{x:.2f}' for x in r['rounds'])}; "
              f"median {r['median']:.2f}, of the best rounds {r['best']:.2f}", flush=True)
    for text in [scaling_line(m["scaling"])] + [best_line(b) for b in m["best"].values()]:
        if text:
            print(f"{'':26}{text}", flush=True)


def scaling_line(scaling):
    """Says what the threads give, for each side that also ran on one."""
    each = [f"{label} {r['median']:.2f}x of one ({r['min']:.2f} to {r['max']:.2f})" for label, r in scaling.items() if label != "threads"]
    return f"{scaling['threads']} threads: " + ", ".join(each) if each else ""


def best_line(b):
    return f"against the fastest of torch {b['version']} ({b['variant']}): {b['ratio']:.2f}x"


def print_end(out):
    """Prints what the machine had to give."""
    one, most = (max(v) for v in peaks(out))
    gemm = [g for m in out["results"] for g in m["gemm_gflops"]]
    print(f"FMA peak: {one:.0f} GFLOP/s on one thread, {most:.0f} on {out['threads']} ({most / one:.2f}x); "
          f"PyTorch's sgemm, n = 1536: median {statistics.median(gemm):.0f} GFLOP/s, {min(gemm):.0f} to {max(gemm):.0f}; "
          f"load now {show(out['load_after'], 2)}")
    if out["unsettled"]:
        print(f"warning: {out['unsettled']} timings began while another side was still busy")


def peaks(out):
    """Returns all measurements of the peak on one thread, and on all."""
    return tuple([p for m in out["results"] for p in m["fma_peak_gflops"][key]] for key in ("1", str(out["threads"])))


def markdown(out):
    """Returns the final table. Of each PyTorch's ways of running, the ratio to
    the fastest is bold."""
    one, most = (max(v) for v in peaks(out))
    lines = [
        f"{out['processor']}, {out['threads']} threads of {out['processors']} processors, kernels {out['instructions']}; float32; "
        f"medians of {out['rounds']} rounds in one run. FMA peak, the highest of the run: {one:.0f} GFLOP/s on one thread, "
        f"{most:.0f} on {out['threads']}.",
        "",
        "| network, batch | mode | side | img/s | GFLOP/s | share of FMA peak | peak memory, MiB | edm is faster by | in the rounds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for m in out["results"]:
        lines += [markdown_row(m, label, f) for label, f in m["figures"].items()]
    lines += [""] + [f"{name(m)}, {m['mode']}: {text}.  " for m in out["results"] if (text := scaling_line(m["scaling"]))]
    return "\n".join(lines).rstrip() + "\n"


def markdown_row(m, label, f):
    r = m["ratios"].get(label)
    times, spread = "", ""
    if r:
        times, spread = f"{r['median']:.2f}", f"{r['min']:.2f} - {r['max']:.2f}"
        if any(b["label"] == label for b in m["best"].values()):
            times = f"**{times}**"
    cells = [name(m), m["mode"], label, significant(f["img_per_s"]), f"{f['gflops']:.0f}", percent(f["share_of_peak"]) + " %",
             show(f["peak_rss_mb"], 0), times, spread]
    return "| " + " | ".join(cells) + " |"


def name(m):
    return f"{os.path.basename(m['network'])}, {m['batch']}"


def markers(section):
    return f"<!-- measured: {section} -->", f"<!-- end: {section} -->"


def check_document(path, section=SECTION):
    """Stops early if the table could not be written in the end."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            replace_section(f.read(), "", section)


def write_document(path, text, section=SECTION):
    """Writes text to a new file, or between the markers of one that exists."""
    document = "\n".join(markers(section))
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            document = f.read()
    document = replace_section(document, text, section)
    replace_file(path, document if document.endswith("\n") else document + "\n")


def replace_file(path, text):
    """Writes a file whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def replace_section(document, text, section):
    begin, end = markers(section)
    parts = re.split(f"({re.escape(begin)}|{re.escape(end)})", document)
    if parts[1::2] != [begin, end]:
        raise SystemExit(f"--markdown: want one line {begin} and one line {end} behind it, and the table goes between them")
    parts[2] = f"\n{text}"
    return "".join(parts)
