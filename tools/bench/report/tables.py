#!/usr/bin/env python3
"""Writes the tables of KERNELS.md from the newest committed results of a GPU.

    tables.py            between the markers of the page
    tables.py --check    nothing is written; fails where the page or a plot is not that of the committed results
"""

import argparse
import dataclasses
import re
import sys

import counts
import results
import series
from results import BENCH, LENGTHS, USUAL, pass_of

PAGE = BENCH / "KERNELS.md"
NONE = "not measured"


@dataclasses.dataclass
class Figure:
    """What was measured, how it is written, and the peer in the same run."""
    value: float
    text: str
    peer: str = ""
    ratio: float = None
    partial: bool = False  # whether something is missing that would make it worse


@dataclasses.dataclass
class Target:
    what: str
    floor: float
    goal: float
    unit: str
    measured: object  # of a run: a Figure, or None
    most: bool = False  # whether floor and goal are the most that it may be, and not the least


def short(value):
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def ms(value):
    return f"{short(value)} ms" if value >= 0.1 else f"{value * 1e3:.3g} µs"


def peer_of(m):
    """(The peer and its time, how many times as long it takes.)"""
    if not m or "peer_ms" not in m:
        return "", None
    return f"{m['peer'].split(', ')[-1]}, {ms(m['peer_ms'])}", m["peer_ms"] / m["median_ms"]


def rate(direction, **sizes):
    def measured(run):
        m = pass_of(run, direction, **sizes)
        return m and Figure(m["useful_tflops"], f"{m['useful_tflops']:.0f} TFLOP/s, {ms(m['median_ms'])}", *peer_of(m))
    return measured


def times_faster(name, **params):
    """How often as fast as the peer."""
    def measured(run):
        m = run.one(name, **params)
        if m and "peer_ms" in m:
            peer, ratio = peer_of(m)
            return Figure(ratio, ms(m["median_ms"]), peer, ratio)
    return measured


def quotient(above, below, text="{:.2f}: {} of {}", scale=1):
    """One time over another."""
    def measured(run):
        a, b = above(run), below(run)
        return a and b and Figure(a / b / scale, text.format(a / b / scale, ms(a), ms(b)))
    return measured


def time_of(name, **params):
    return lambda run: run.ms(name, **params)


def pass_time(direction, **sizes):
    return lambda run: (pass_of(run, direction, **sizes) or {}).get("median_ms")


def microseconds(name, **params):
    def measured(run):
        m = run.one(name, **params)
        return m and Figure(m["median_ms"] * 1e3, f"{m['median_ms'] * 1e3:.3g} µs", *peer_of(m))
    return measured


def selecting(run, n):
    """(Milliseconds of thresholds and lists, or of thresholds alone where only these were measured, and which of the two it is.)"""
    both = run.ms("sparsek_lists", n=n)
    return (both, "") if both else (run.ms("sparsek_selection", n=n, scores="normal"), " without lists")


def lists_time(run):
    time, what = selecting(run, 8192)
    return time and Figure(time * 1e3, f"{time * 1e3:.3g} µs{what}", partial=bool(what))


def lists_share(run):
    """Thresholds and lists over a pass of attention, the largest share of the lengths from 32,768 on."""
    shares = []
    for n in LENGTHS:
        (time, what), attention = selecting(run, n), pass_time("forward", n=n)(run)
        if n >= 32768 and time and attention:
            shares.append((time / attention, f"{100 * time / attention:.0f} %{what}: {ms(time)} of {ms(attention)}, N = {n:,}", bool(what)))
    if shares:
        share, text, partial = max(shares)
        return Figure(100 * share, text, partial=partial)


def families(run):
    """The scores that take the longest over normal ones."""
    normal = run.ms("sparsek_selection", n=32768, scores="normal")
    slowest = max(run.all("sparsek_selection", n=32768), key=lambda m: m["median_ms"], default=None)
    if normal and slowest["params"]["scores"] != "normal":
        ratio = slowest["median_ms"] / normal
        return Figure(ratio, f"{ratio:.2f}, {slowest['params']['scores']}: {ms(slowest['median_ms'])} of {ms(normal)}")


def memory(run, **params):
    """The most memory of a training step over PyTorch's."""
    m, plain = run.one("train_step", n=32768, **params), run.one("train_step", n=32768)
    if m and plain and "peer_peak_mib" in plain:
        peak, peer = m["peak_mib"], plain["peer_peak_mib"]
        besides = f", {peak / plain['peak_mib']:.2f} of that without" if m is not plain else ""
        return Figure(peak / peer, f"{peak / peer:.2f}: {peak / 1024:.3g} GiB{besides}", f"PyTorch, {peer / 1024:.3g} GiB", peer / peak)


TARGETS = [
    Target("forward, heads of 128", *series.BOUNDS["forward", 128], "TFLOP/s", rate("forward")),
    Target("forward, heads of 64", *series.BOUNDS["forward", 64], "TFLOP/s", rate("forward", d=64)),
    Target("backward, heads of 128", *series.BOUNDS["backward", 128], "TFLOP/s", rate("backward")),
    Target("backward, heads of 64", *series.BOUNDS["backward", 64], "TFLOP/s", rate("backward", d=64)),
    Target("thresholds and lists of forward, N from 32,768", 25, 12, "%", lists_share, True),
    Target("thresholds and lists, N = 8,192", 100, 60, "µs", lists_time, True),
    Target("slowest family of scores over normal ones", 4, 2, "", families, True),
    Target("forward with 4 key-value heads over that with 16", 1, 1, "",
           quotient(pass_time("forward", kv_heads=4), pass_time("forward")), True),
    Target("backward with 4 key-value heads over that with 16", 1, 1, "",
           quotient(pass_time("backward", kv_heads=4), pass_time("backward")), True),
    Target("forward, N = 4,096, times as fast as dense", 1, 1.5, "", times_faster("sparsek_forward", **USUAL | {"n": 4096})),
    Target("the same for a whole call with its selection", 1, 1.5, "", times_faster("sparsek_forward_selection", **USUAL | {"n": 4096})),
    Target("growth from 8,192 to 262,144 over that of N", 1.1, 1.03, "",
           quotient(pass_time("forward", n=262144), pass_time("forward", n=8192), "{:.3f}: {} after {}", 32), True),
    Target("a token after 1,000,000", 30, 15, "µs", microseconds("sparsek_decode", n=1_000_000), True),
    Target("a token after 1,000,000 over one after 10,000", 1.2, 1.2, "",
           quotient(time_of("sparsek_decode", n=1_000_000), time_of("sparsek_decode", n=10_000)), True),
    Target("training step of 32,768 tokens, times as fast as PyTorch", 2.5, 3.5, "", times_faster("train_step", n=32768)),
    Target("training step of 131,072 tokens, times as fast as PyTorch", 7, 9, "", times_faster("train_step", n=131072)),
    Target("memory of a training step of PyTorch's", 0.65, 0.5, "", memory, True),
    Target("the same with `@checkpoint`", 0.333, 0.333, "", lambda run: memory(run, checkpoint=True), True),
    Target("time with `@checkpoint` over that without", 1.25, 1.25, "",
           quotient(time_of("train_step", n=32768, checkpoint=True), time_of("train_step", n=32768)), True),
]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in rows])


def source(history):
    def named(run):
        return f"{run.device}, {run.date[:10]}, commit {run.commit}: [results/{run.file}](results/{run.file})"
    again = "".join(f"; measured again, {', '.join(sorted({m['name'].replace('_', ' ') for m in run.measurements}))}: {named(run)}"
                    for run in history[-1].later)
    return named(history[-1]) + again + "."


def targets(history):
    def row(target):
        figure = target.measured(history[-1])
        bound = lambda value: f"{'≤ ' if target.most else ''}{value:g}{' ' + target.unit if target.unit else ''}"
        if not figure:
            return target.what, bound(target.floor), bound(target.goal), NONE, "", "", ""
        reaches = lambda value: figure.value <= value if target.most else figure.value >= value
        reached = "no" if not reaches(target.floor) else "" if figure.partial else "goal" if reaches(target.goal) else "floor"
        return (target.what, bound(target.floor), bound(target.goal), figure.text, figure.peer,
                f"{figure.ratio:.2f}" if figure.ratio else "", reached)
    return table(["what", "floor", "goal", "measured", "peer", "ratio", "reached"], map(row, TARGETS))


def lengths(history):
    run = history[-1]
    cell = lambda m, key="median_ms", form="": (form.format(m[key]) if form else short(m[key])) if m and key in m else "–"

    def row(n):
        forward, backward = pass_of(run, "forward", n=n), pass_of(run, "backward", n=n)
        return (f"{n:,}", cell(run.one("sparsek_selection", n=n, scores="normal")), cell(run.one("sparsek_lists", n=n)),
                cell(forward), cell(forward, "useful_tflops", "{:.0f}"), cell(forward, "peer_ms"), cell(forward, "times_faster", "{:.2f}"),
                cell(backward), cell(backward, "useful_tflops", "{:.0f}"), cell(backward, "peer_ms"), cell(backward, "times_faster", "{:.2f}"))
    return table(["N", "thresholds", "and lists", "forward", "TFLOP/s", "dense", "ratio", "backward", "TFLOP/s", "dense", "ratio"], map(row, LENGTHS))


def kernels(history):
    """What attention at N = 32,768 and a training step must compute and move, how long that would take alone, and how long it
    takes."""
    run = history[-1]
    product, copy = run.get("useful_tflops", "matmul_bf16"), run.get("gb_per_s", "copy")

    def row(what, useful, done, bytes_moved, m):
        return (what, f"{useful / 1e9:,.0f}", f"{done / 1e9:,.0f}", f"{done / product / 1e9:.3g}" if product else "–",
                f"{bytes_moved / 1e6:.0f}" if bytes_moved else "", f"{bytes_moved / copy / 1e6:.2g}" if bytes_moved and copy else "",
                short(m["median_ms"]) if m else NONE, f"{done / m['median_ms'] / 1e9:.0f}" if m else "")
    rows = [row(f"{direction}, heads of {d}", counts.useful(32768, d, direction), counts.executed(32768, d, direction),
                counts.moved(32768, d, direction), pass_of(run, direction, d=d)) for direction in ("forward", "backward") for d in (128, 64)]
    rows += [row(f"training step, {n:,} tokens", counts.training_step(n, counts.useful), counts.training_step(n, counts.executed), 0,
                 run.one("train_step", n=n)) for n in (32768, 131072)]
    return table(["what", "useful GFLOP", "executed GFLOP", "products alone, ms", "MB moved", "memory alone, ms", "measured, ms", "executed TFLOP/s"], rows)


def scores(history):
    found = history[-1].all("sparsek_selection")
    return table(["N", "scores", "thresholds"], [(f"{m['params']['n']:,}", m["params"]["scores"], ms(m["median_ms"])) for m in found])


def others(history):
    """Row-wise kernels beside a copy of as many bytes, products beside the library's."""
    run = history[-1]
    rows = []
    for m in run.measurements:
        if "gb_per_s" in m:
            rows.append((m["name"].replace("_", " "), ms(m["median_ms"]), f"{m['gb_per_s']:.0f} GB/s", *peer_of(m)))
        elif m["name"].startswith("matmul"):
            how = ", generated" if m["params"].get("library") is False else ", TF32" if m["params"].get("tf32") else ""
            rows.append((f"product {m['params']['m']}³, {m['params']['dtype']}{how}", ms(m["median_ms"]), f"{m['useful_tflops']:.0f} TFLOP/s", *peer_of(m)))
    return table(["what", "time", "rate", "peer", "ratio"], [(*row[:4], f"{row[4]:.2f}" if row[4] else "") for row in rows])


def versions(history):
    return table(["milliseconds", *(run.commit for run in history)],
                 [(what, *(short(run.ms(name, **params)) if run.ms(name, **params) else "–" for run in history))
                  for what, name, params in series.VERSIONS])


TABLES = [source, targets, lengths, kernels, scores, others, versions]


def filled(page, history):
    """The page with its tables between the markers."""
    for make in TABLES:
        begin, end = f"<!-- {make.__name__}: generated -->\n", f"<!-- end of {make.__name__} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
        if len(pattern.findall(page)) != 1:
            sys.exit(f"{PAGE.name} has no markers for the table '{make.__name__}'")
        page = pattern.sub(lambda _: begin + make(history) + "\n" + end, page)
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    history = results.runs()
    page = PAGE.read_text()
    new = filled(page, history)
    if not options.check:
        PAGE.write_text(new)
        return
    old = [f"tools/bench/{PAGE.name}"] if page != new else []
    old += [f"tools/bench/plots/{name}.svg" for name, digest in series.digests(history).items() if series.drawn(name) != digest]
    for name in old:
        print(f"{name} is not that of the committed results; run tools/dev figures")
    sys.exit(1 if old else 0)


if __name__ == "__main__":
    main()
