#!/usr/bin/env python3
"""SPARSEK attention, causal and windowed blocks on a GPU against the interpreter, over one table of cases.

    attention-matrix.py --compare build/release/bin/heddle-compare [--device cuda] [--all] [--keep FOLDER]

Every head width from 32 to 256 meets every element type. Group ratios, lengths, budgets, windows (none of either, more than
there is), gates, estimators and packed sequences are dealt out to them, each value equally often and the same in every run; --all
deals several times. Each case is one function of thresholds, forward and backward pass, or of a block's two passes.
"""

import argparse
import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile

WIDTHS = [32, 64, 80, 96, 128, 160, 256]
ELEMENTS = ["bf16", "f16", "f32"]
GROUPS = [1, 3, 2, 5]
LENGTHS = [67, 33, 1, 75, 41]
BUDGETS = [(20, 12), (0, 17), (9, 0), (500, 4), (5, 500), (1, 1)]  # topk, window
GATES = ["both", "value", "none"]
ESTIMATORS = ["soft", "soft", "straight_through"]
PACKED = [False, False, True, False]
BLOCKS = ["causal", "window"]


def kind(element, *shape):
    return "tensor<" + "".join(f"{extent}x" for extent in shape) + element + ">"


def sparsek(name, width, element, group, length, topk, window, gate, estimator, packed):
    values = width if width % 3 else width + 8  # a width of values of its own
    q, k, v = kind(element, 1, group, length, width), kind(element, 1, 1, length, width), kind(element, 1, 1, length, values)
    o, lse, u = kind(element, 1, group, length, values), kind("f32", 1, group, length), kind("f32", 1, 1, length)
    count, bounds = kind("i32", 1, 1, length), kind("i32", 2, length)
    segments = ", bounds %bounds" if packed else ""
    more = f", {bounds}" if packed else ""
    options = f"topk {topk} window {window} scale {width ** -0.5:.6f} gate {gate} estimator {estimator}"
    lines = [f"func.func @{name}(%q: {q}, %k: {k}, %v: {v}, %u: {u}, %end: {count}, %do: {o}) -> ({o}, {lse}, {q}, {k}, {v}, {u}, {u}) {{"]
    if packed:
        offsets = [0, length // 3, length // 3, length]
        lines += [f"  %offsets = heddle.constant dense<{offsets}> : tensor<4xi32>",
                  f"  %bounds = sparsek.segments %offsets length {length} : tensor<4xi32> -> {bounds}"]
    selected = "%u, %u, %u, %end"
    if topk:
        selected = "%u, %hi, %lo, %last"
        lines += [f"  %hi, %lo, %count, %last = sparsek.threshold %u{segments} topk {topk} window {window} : {u}{more} -> {u}, {u}, {count}, {count}"]
    inputs = f"{q}, {k}, {v}, {u}, {u}, {u}, {count}"
    lines += [f"  %o, %lse = sparsek.attention %q, %k, %v, {selected}{segments} {options} : ({inputs}{more}) -> ({o}, {lse})",
              f"  %r:5 = sparsek.attention_backward %q, %k, %v, {selected}, %o, %lse, %do{segments} {options}",
              f"    : ({inputs}, {o}, {lse}, {o}{more}) -> ({q}, {k}, {v}, {u}, {u})",
              f"  return %o, %lse, %r#0, %r#1, %r#2, %r#3, %r#4 : {o}, {lse}, {q}, {k}, {v}, {u}, {u}", "}"]
    return "\n".join(lines)


def block(name, what, width, element, group, length):
    q, k = kind(element, 1, group, length, width), kind(element, 1, 1, length, width)
    lse = kind("f32", 1, group, length)
    numbers = "%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>"
    body = ["    %one = heddle.constant dense<1.0> : tensor<f32>", "    %past = heddle.compare le %j, %i : tensor<i32>"]
    seen = "%past"
    if what == "window":
        seen = "%seen"
        body += ["    %w = heddle.constant dense<11> : tensor<i32>", "    %d = heddle.sub %i, %j : tensor<i32>",
                 "    %near = heddle.compare lt %d, %w : tensor<i32>", "    %seen = heddle.and %past, %near : tensor<i1>"]
    scale = f"scale {width ** -0.5:.6f}"
    return "\n".join(
        [f"func.func @{name}(%q: {q}, %k: {k}, %v: {k}, %do: {q}) -> ({q}, {lse}, {q}, {k}, {k}) {{",
         f"  %o, %lse = sparsek.variant_attention %q, %k, %v captures() {scale} : ({q}, {k}, {k}) -> ({q}, {lse}) {{", f"  ^bb0({numbers}):"]
        + body + [f"    sparsek.yield %s, %one, {seen} : tensor<f32>", "  }",
                  f"  %r:3 = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do wanted [] {scale}",
                  f"    : ({q}, {k}, {k}, {q}, {lse}, {q}) -> ({q}, {k}, {k}) {{",
                  f"  ^bb0({numbers}, %dscore: tensor<f32>, %dgate: tensor<f32>):"]
        + body + [f"    sparsek.yield_adjoint %s, %one, {seen}, %dscore : tensor<f32>", "  }",
                  f"  return %o, %lse, %r#0, %r#1, %r#2 : {q}, {lse}, {q}, {k}, {k}", "}"])


def cases(turns):
    """Functions as text."""
    for turn in range(turns):
        shuffle = random.Random(turn).shuffle
        heads = list(itertools.product(WIDTHS, ELEMENTS))
        rings = []
        for ring in (GROUPS, LENGTHS, BUDGETS, GATES, ESTIMATORS, PACKED):
            rings.append((ring * len(heads))[: len(heads)])
            shuffle(rings[-1])
        for (width, element), group, length, (topk, window), gate, estimator, packed in zip(heads, *rings):
            name = f"t{turn}_{element}_e{width}_g{group}_n{length}_k{topk}_w{window}_{gate}_{estimator}{'_packed' if packed else ''}"
            yield sparsek(name, width, element, group, length, topk, window, gate, estimator, packed)
        for what, (number, width), element in itertools.product(BLOCKS, enumerate(WIDTHS[turn % 4 :: 4]), ELEMENTS):
            length = LENGTHS[(number + turn) % len(LENGTHS)]
            yield block(f"t{turn}_{what}_{element}_e{width}_n{length}", what, width, element, GROUPS[number % len(GROUPS)], length)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compare", required=True)
    parser.add_argument("--device", default="cuda", choices=["cpu", "cuda"])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    functions = list(cases(5 if options.all else 1))
    with tempfile.TemporaryDirectory(prefix="heddle-matrix-") as scratch:
        folder = options.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        runs = []
        for job in range(options.jobs):
            file = folder / f"part{job}.mlir"
            file.write_text("\n".join(functions[job::options.jobs]) + "\n")
            command = [options.compare, f"--device={options.device}", str(file)]
            runs.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        outputs = [run.communicate()[0] for run in runs]
    failed = [output for run, output in zip(runs, outputs) if run.returncode]
    if failed:
        print("\n".join(failed))
        return 1
    print(f"{len(functions)} functions agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
