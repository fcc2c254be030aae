#!/usr/bin/env python3
"""Runs the programs in this folder on every backend and compares the results with one expectation.

A program says in its comments what to run and what must come out:

    # test: ENTRY NAME=VALUE … [--dim K=4]     arguments of `heddle run`; %s is this folder
    # expect: out = [1.0, 2.0]                 a NumPy expression (np is there); shape and values must agree
    # expect: out.1.layers.w ~ 1e-3 [..]       the same with a relative tolerance other than 1e-5
    # same: out                                the backends agree on this result (and on its element type)
    # error: regular expression                the run fails with exit status 1 and this on stderr

Each `test:` line owns the lines that follow it. Without an `expect:` of a result, `same:` compares it with the
interpreter in f64.

    run.py --heddle build/release/bin/heddle [--backend cpu] [--option=--cpu=x86-64-v2] [--filter TEXT] [FILE…]
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import numpy as np

os.environ["HEDDLE_CACHE"] = "off"  # what is tested is compiled

HERE = pathlib.Path(__file__).resolve().parent


class Case:
    """One `test:` line of a program with what it expects."""

    def __init__(self, file, line, arguments):
        self.file, self.line, self.arguments = file, line, arguments
        self.expected, self.same, self.error = [], [], None

    def name(self, backend):
        return f"{self.file.name}:{self.line} {self.arguments[0]} on {backend}"


def cases_of(file):
    cases = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match = re.match(r"#\s*(test|expect|same|error):\s*(.*)", line)
        if not match:
            continue
        kind, text = match.groups()
        if kind == "test":
            cases.append(Case(file, number, shlex.split(text.replace("%s", str(file.parent)))))
        elif not cases:
            sys.exit(f"{file}:{number}: `{kind}:` before any `test:`")
        elif kind == "expect":
            name, mark, rest = re.match(r"(\S+)\s*([=~])\s*(.*)", text).groups()
            tolerance = 1e-5
            if mark == "~":
                number_text, rest = rest.split(maxsplit=1)
                tolerance = float(number_text)
            cases[-1].expected.append((name, np.asarray(eval(rest, {"np": np})), tolerance))
        elif kind == "same":
            cases[-1].same += text.split()
        else:
            cases[-1].error = text
    return cases


def execute(heddle, case, options, out):
    command = [heddle, "run", str(case.file), *case.arguments, *options, "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    return shlex.join(command[:-2]), result


def difference(name, actual, expected, tolerance):
    """What differs, or None. Exact for integers and truth values, else relative to the largest expected value."""
    if actual.shape != expected.shape:
        return f"{name} has shape {actual.shape}, not {expected.shape}"
    if actual.dtype.kind != "f":
        wrong = np.argwhere(actual != expected)
        return f"{name}{wrong[0].tolist()} is {actual[tuple(wrong[0])]}, not {expected[tuple(wrong[0])]}" if len(wrong) else None
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    if not (np.isnan(actual) == np.isnan(expected)).all() or not (np.isinf(actual) == np.isinf(expected)).all():
        return f"{name} differs in where it is nan or infinite: {actual} against {expected}"
    finite = np.isfinite(expected)
    if not (actual[~finite & ~np.isnan(expected)] == expected[~finite & ~np.isnan(expected)]).all():
        return f"{name} has infinities of another sign"
    scale = max(np.abs(expected[finite]).max(initial=0), 1e-30)
    error = np.abs(actual[finite] - expected[finite]).max(initial=0) / scale
    return f"{name} is off by {error:.2e} relative, more than {tolerance:.0e}" if error > tolerance else None


def compare(out, name, expected, tolerance):
    """What is wrong with the result NAME in the folder `out`, or None."""
    file = out / f"{name}.npy"
    if not file.exists():
        return f"no result {name}, but {', '.join(sorted(p.stem for p in out.iterdir()))}"
    return difference(name, np.load(file), expected, tolerance)


def check(heddle, case, backend, options):
    """The failure as text, or None. The options are those of the run under test, not of the reference."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        command, result = execute(heddle, case, ["--device", backend, *options], out)
        problems = []
        if case.error is not None:
            if result.returncode != 1:
                problems.append(f"exit status {result.returncode}, not 1")
            if not re.search(case.error, result.stderr):
                problems.append(f"stderr does not match /{case.error}/:\n{result.stderr}")
            if out.exists() and any(out.iterdir()):
                problems.append(f"left partial outputs: {sorted(p.name for p in out.iterdir())}")
        elif result.returncode != 0:
            problems.append(f"exit status {result.returncode}:\n{result.stderr}")
        else:
            truth = None
            for name, expected, tolerance in case.expected:
                problems.append(compare(out, name, expected, tolerance))
            for name in case.same:
                if truth is None:
                    truth = pathlib.Path(folder) / "truth"
                    _, reference = execute(heddle, case, ["--device", "interp", "--precision", "f64"], truth)
                    if reference.returncode != 0:
                        problems.append(f"the interpreter in f64 fails:\n{reference.stderr}")
                        break
                problems.append(compare(out, name, np.load(truth / f"{name}.npy"), 2e-5))
        problems = [p for p in problems if p]
        return f"{case.name(backend)}: {'; '.join(problems)}\n  again: {command}" if problems else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heddle", required=True)
    parser.add_argument("--backend", action="append", help="interp or cpu; default both")
    parser.add_argument("--option", action="append", default=[], help="one more argument of `heddle run`, such as --option=--cpu=x86-64-v2")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--filter", default="", help="only cases whose name holds this text")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    files = options.files or sorted(HERE.glob("*.heddle"))
    jobs = [(case, backend) for file in files for case in cases_of(file)
            for backend in options.backend or ["interp", "cpu"] if options.filter in case.name(backend)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        failures = [f for f in pool.map(lambda job: check(options.heddle, *job, options.option), jobs) if f]
    for failure in failures:
        print(failure)
    print(f"{len(jobs) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
