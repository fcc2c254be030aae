#!/usr/bin/env python3
"""Draws tools/bench/plots/*.svg from the committed results of GPUs. Needs Matplotlib (Debian: python3-matplotlib).

The same results give the same files. Colours follow the reader's choice of light or dark.
"""

import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # after the choice of what draws

import results
import series

INK, GRID, PAPER = "#24292f", "#d0d7de", "#ffffff"
DARK = {INK: "#d1d7e0", GRID: "#3d444d", PAPER: "#0d1117"}
BAR_INK = "#fffffe"  # white in both themes
BLUE, ORANGE, GREEN = "#1f6feb", "#bc4c00", "#2da44e"
LINES = {"forward": (BLUE, "o-"), "backward": (ORANGE, "s-"), "thresholds": (GREEN, "^-"), "thresholds and lists": (GREEN, "v--"),
         "dense forward": (BLUE, "o:"), "dense backward": (ORANGE, "s:")}
matplotlib.rcParams.update({
    "svg.hashsalt": "heddle", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRID, "xtick.color": INK, "ytick.color": INK,
    "axes.facecolor": PAPER, "figure.facecolor": PAPER, "savefig.facecolor": PAPER, "legend.facecolor": PAPER,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.6,
    "axes.axisbelow": True, "legend.frameon": False, "lines.linewidth": 1.8, "lines.markersize": 5,
})


def growth(data, run):
    figure, axes = plt.subplots(figsize=(7.2, 4.4))
    for name, (color, style) in LINES.items():
        if data[name]:
            axes.plot(*zip(*data[name]), style, color=color, label=f"{name}, PyTorch" if name.startswith("dense") else name)
    axes.set(xscale="log", yscale="log", xlabel="length N of the sequence", ylabel="milliseconds",
             title=f"16 heads of 128, k = w = 512, bf16, {run.device}")
    axes.set_xticks(results.LENGTHS, [f"{n // 1024}k" for n in results.LENGTHS])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.set_xlim(results.LENGTHS[0] * 0.85, results.LENGTHS[-1] * 1.18)
    if any(data.values()):
        axes.legend(loc="upper left")
    return figure


def rates(data, run):
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    for place, (what, value, floor, goal) in enumerate(reversed(data)):
        axes.barh(place, value or 0, height=0.55, color=BLUE if what.startswith("forward") else ORANGE)
        axes.text(6, place, f"{value:.0f}" if value else "not measured", va="center", color=BAR_INK if value else INK)
        for bound, style in ((floor, "-"), (goal, ":")):
            axes.plot([bound, bound], [place - 0.4, place + 0.4], style, color=INK, linewidth=1.4)
    axes.set_yticks(range(len(data)), [row[0] for row in reversed(data)])
    axes.set_xlim(0, 1.12 * max(max(value or 0, goal) for _, value, _, goal in data))
    axes.set(xlabel="useful TFLOP/s, N = 32,768; lines: floor, dotted: goal", title=f"16 heads, k = w = 512, bf16, {run.device}")
    axes.grid(axis="y", visible=False)
    return figure


def versions(data, run):
    figure, axes = plt.subplots(figsize=(7.2, 4.0))
    commits = list(dict.fromkeys(commit for points in data.values() for commit, _ in points))
    for (what, points), marker in zip(data.items(), "os^vDP*X"):
        axes.plot([commits.index(commit) for commit, time in points if time], [time for _, time in points if time], f"{marker}-", label=what)
    axes.set(yscale="log", ylabel="milliseconds", title=f"version by version, {run.device}")
    axes.set_xticks(range(len(commits)), commits)
    axes.set_xlim(-0.15, max(len(commits) - 1, 1) + 0.15)
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)
    return figure


def finished(svg, digest):
    """The picture without what differs from run to run, with the colours of both themes and the digest of its data."""
    rules = "".join(f'[style*="{kind}: {light}"]{{{kind}:{dark} !important}}' for light, dark in DARK.items() for kind in ("fill", "stroke"))
    style = f"<!-- data {digest} -->\n <style>@media (prefers-color-scheme: dark) {{{rules}}}</style>\n"
    return re.sub(r"(<svg [^>]*>\n)", lambda found: found[1] + " " + style, svg, count=1)


def main():
    history = results.runs()
    series.PLOTS.mkdir(exist_ok=True)
    draw = {"growth": growth, "rates": rates, "versions": versions}
    for name, digest in series.digests(history).items():
        figure = draw[name](getattr(series, name)(history), history[-1])
        path = series.PLOTS / f"{name}.svg"
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None, "Creator": None})
        plt.close(figure)
        path.write_text(finished(path.read_text(), digest))


if __name__ == "__main__":
    main()
