#!/usr/bin/env python3
"""How time and memory grow with the length of the context.

    scaling.py --heddle HEDDLE [--char-lm CHAR_LM --model char_lm.heddle] [CHECK…]     run the named checks, or all
    scaling.py --heddle HEDDLE --table [ROUNDS]                                       print times, memory and slopes, 4k to 256k
"""

import argparse
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "attention.heddle")
TOPK = WINDOW = 256
WIDTH = 64
MEGABYTE = 1e6


def call(command, environment={}):
    """The standard output of a command that succeeds, and the most memory it held, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                               env={**os.environ, "HEDDLE_CACHE": "off", **environment})
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{' '.join(command)}: exit status {process.returncode}:\n{output}"
    return output, usage.ru_maxrss * 1024


def dims(**sizes):
    return [word for name, size in sizes.items() for word in ("--dim", f"{name}={size}")]


def attention(options, entry, length, repeat, environment={}):
    """The milliseconds of a fast call (the tenth percentile; of at most ten the fastest), and the process's peak bytes,
    compilation included."""
    values = ["u=normal:4"] if entry == "select" else ["q=normal:1", "k=normal:2", "v=normal:3", "u=normal:4"]
    sizes = dims(N=length, K=TOPK, W=WINDOW) + ([] if entry == "select" else dims(E=WIDTH))
    output, peak = call([options.heddle, "run", PROGRAM, entry, *values, *sizes, "--repeat", str(repeat)], environment)
    return float(re.search(r"p10 ([\d.]+)", output).group(1)), peak


def buffers(options, program, entry, sizes):
    """Bytes of the arena and the numbers of elements of all buffers of the lowered form."""
    output, _ = call([options.heddle, "compile", program, entry, *sizes, "--emit", "lowered", "-o", "-"])
    arena = int(re.search(r"heddle\.arena_bytes = (\d+)", output).group(1))
    # The arena itself is a buffer of bytes.
    extents = [int(n) for n, element in re.findall(r"memref<(\d+)x(\w+)>", output) if (int(n), element) != (arena, "i8")]
    assert extents and not re.search(r"memref<\d+x\d+x", output), "buffers are expected to have one dimension"
    return arena, extents


def processor_time(options, entry, length, repeat):
    """Milliseconds of processor time of one call on one thread, without compilation, and the process's peak bytes."""
    used = []
    for times in (2, 2 + repeat):
        before = os.times()
        _, peak = attention(options, entry, length, times, {"OMP_NUM_THREADS": "1"})
        after = os.times()
        used.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return (used[1] - used[0]) / repeat * 1e3, peak


def time_is_linear(options, entry):
    """65,536 keys: less than 1 GB, at most 4.8 times the time of 16,384."""
    short, long = 0.0, 0.0
    for round in range(1, 5):  # compilation takes a little more or less each time; rounds level that out
        short += processor_time(options, entry, 16384, 32)[0]
        milliseconds, peak = processor_time(options, entry, 65536, 8)
        long += milliseconds
        assert peak < 1000 * MEGABYTE, f"{peak / MEGABYTE:.0f} MB"
        if long <= 4.8 * short:
            break
    print(f"{entry}: {short / round:.1f} ms, {long / round:.1f} ms, ratio {long / short:.2f}, {peak / MEGABYTE:.0f} MB")
    assert long <= 4.8 * short, f"{long / round:.1f} ms is {long / short:.2f} times {short / round:.1f} ms"


def attention_is_linear(options):
    """Sparse attention, forward and backward."""
    time_is_linear(options, "backward")


def packed_is_linear(options):
    """Causal attention without selection over packed sequences of 256 positions: quadratic in each, linear in all."""
    time_is_linear(options, "packed_backward")


def variant_is_linear(options):
    """A written variant whose visibility bounds the keys, with the cotangent of a bias indexed by the distance."""
    time_is_linear(options, "variant_backward")


def buffers_are_linear(options):
    """No buffer grows faster than the length, and none has a place for each pair of positions."""
    for entry in ("forward", "backward", "select", "packed_backward", "variant_backward"):
        arenas = []
        for length in (16384, 65536):
            sizes = dims(N=length, K=TOPK, W=WINDOW) + ([] if entry == "select" else dims(E=WIDTH))
            arena, extents = buffers(options, PROGRAM, entry, sizes)
            # Packed attention has a window of all keys, whose partial sums are kept for four chunks of queries.
            most = 4 * (length + 1) * 2 * WIDTH if entry == "packed_backward" else length * (TOPK + WINDOW)
            assert max(extents) <= most, f"{entry}: a buffer of {max(extents)} elements at {length}"
            arenas.append(arena)
        print(f"{entry}: arena of {arenas[0] / MEGABYTE:.1f} MB, {arenas[1] / MEGABYTE:.1f} MB")
        assert arenas[1] <= 4 * 1.05 * arenas[0], f"{entry}: {arenas[0]} bytes become {arenas[1]}"


def model_sizes(context, tokens):
    return dims(V=256, D=128, Hq=4, H=2, E=32, M=384, L=4, K=32, W=32, B=tokens // context, N=context)


def training_step_is_linear(options):
    """The same tokens in one row as in 64 rows: at most 1.2 times the working memory."""
    arenas = [buffers(options, options.model, "train_step", model_sizes(context, 16384))[0] for context in (256, 16384)]
    print(f"arena of {arenas[0] / MEGABYTE:.1f} MB, {arenas[1] / MEGABYTE:.1f} MB")
    assert arenas[1] <= 1.2 * arenas[0], arenas


def step_keeps_little(options):
    """What layers keep on a GPU at 131,072 tokens in bf16: queries, keys, values, outputs of attention and two sums, but no value inside a
    feed-forward layer; with R = 1 the sum before a block and what attention gave."""
    n, width, inside, layers = 131072, 128, 384, 12
    sizes = dims(V=256, D=width, Hq=4, H=2, E=32, M=inside, L=layers, K=32, W=32, B=1, N=n)
    kept, again = (buffers(options, options.model, "train_step_bf16", [*sizes, *dims(R=r), "--target", "cuda"])[0] / (layers * n) for r in (0, 1))
    print(f"{kept:.0f} and {again:.0f} bytes a token and layer")
    row = 2 * width  # of a sequence of that width in bf16
    assert 5 * row < kept < 5 * row + 2 * inside, kept
    assert 2 * row < again < 0.7 * kept, again


def training_is_linear(options):
    """The same for the whole program: char_lm with a context of 16,384 and of 256."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text.txt"
        draw = random.Random(5)
        text.write_bytes(bytes(draw.choice(b"abcdefgh \n") for _ in range(400_000)))
        for context in (256, 16384):
            command = [options.char_lm, "--text", str(text), "--out", f"{folder}/{context}", "--steps", "2", "--sample", "0"]
            peaks.append(call([*command, "--context", str(context), "--tokens", "16384"])[1])
    print(f"peak of {peaks[0] / MEGABYTE:.0f} MB, {peaks[1] / MEGABYTE:.0f} MB")
    assert peaks[1] <= 1.2 * peaks[0], peaks


ENTRIES = ("select", "forward", "backward")
STEEPEST = 1.1


class Growth:
    """Times and memory of one head by length; of all rounds the fastest counts, since other processes only ever add time."""

    def __init__(self, options, lengths):
        self.options, self.lengths = options, lengths
        self.times = {entry: {n: float("inf") for n in lengths} for entry in ENTRIES}
        self.peak, self.arena = {}, {}
        for n in lengths:
            self.arena[n] = buffers(options, PROGRAM, "backward", dims(N=n, K=TOPK, W=WINDOW, E=WIDTH))[0]

    def measure(self):
        for n in self.lengths:
            for entry in ENTRIES:
                milliseconds, peak = attention(self.options, entry, n, 10 if n <= 16384 else 4)
                self.times[entry][n] = min(self.times[entry][n], milliseconds)
            self.peak[n] = min(self.peak.get(n, peak), peak)

    def columns(self):
        """What grows: name, value by length, and what to divide by for printing."""
        select, forward, both = (self.times[entry] for entry in ENTRIES)
        return [("selection ms", select, 1), ("forward ms", forward, 1), ("backward ms", {n: max(both[n] - forward[n], 1e-3) for n in self.lengths}, 1),
                ("working MB", self.arena, MEGABYTE), ("peak MB", self.peak, MEGABYTE)]

    def slopes(self):
        """The slope of each column in log-log axes, by least squares: 1 is linear, 2 quadratic."""
        xs = [math.log(n) for n in self.lengths]
        middle = sum(xs) / len(xs)
        spread = sum((x - middle) ** 2 for x in xs)
        return {name: sum((x - middle) * math.log(values[n]) for x, n in zip(xs, self.lengths)) / spread
                for name, values, _ in self.columns()}

    def show(self):
        columns = self.columns()
        print("       N" + "".join(f"{name:>14}" for name, _, _ in columns))
        for n in self.lengths:
            print(f"{n:8}" + "".join(f"{values[n] / unit:14.2f}" for _, values, unit in columns))
        print("   slope" + "".join(f"{slope:14.3f}" for slope in self.slopes().values()), flush=True)


def grows_linearly(options, lengths):
    growth = Growth(options, lengths)
    for _ in range(8):
        growth.measure()
        if all(slope <= STEEPEST for slope in growth.slopes().values()):
            break
    growth.show()
    steep = {name: slope for name, slope in growth.slopes().items() if slope > STEEPEST}
    assert not steep, f"grows faster than linearly: {steep}"


def slopes_are_linear(options):
    """From 4,096 to 32,768 keys no slope is above 1.1."""
    grows_linearly(options, [4096, 8192, 16384, 32768])


def long_slopes_are_linear(options):
    """The same to 262,144 keys."""
    grows_linearly(options, [4096 << i for i in range(7)])


def table(options):
    """One head of width 64, k = w = 256, on all processors."""
    growth = Growth(options, [4096 << i for i in range(7)])
    for _ in range(options.table):
        growth.measure()
    growth.show()


CHECKS = [buffers_are_linear, training_step_is_linear, step_keeps_little, slopes_are_linear, attention_is_linear, packed_is_linear,
          variant_is_linear, long_slopes_are_linear, training_is_linear]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heddle", required=True)
    parser.add_argument("--char-lm")
    parser.add_argument("--model")
    parser.add_argument("--table", type=int, nargs="?", const=3, metavar="ROUNDS")
    parser.add_argument("checks", nargs="*", choices=[[], *(check.__name__ for check in CHECKS)])
    options = parser.parse_args()
    if options.table:
        table(options)
        return 0
    for check in CHECKS:
        if not options.checks or check.__name__ in options.checks:
            check(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
