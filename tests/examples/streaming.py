#!/usr/bin/env python3
"""The example streaming as a user meets it: constant time and memory a token, and a cache that grows with its scores.

    streaming.py STREAMING CHECK…      run the named checks
"""

import math
import os
import re
import subprocess
import sys

PROGRAM = sys.argv[1]
# One thread: the processor time of several holds the time in which they wait for each other.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HEDDLE_CACHE": "off"}


def stream(*options, status=0):
    result = subprocess.run([PROGRAM, *options], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    assert result.returncode == status, f"exit status {result.returncode}:\n{result.stdout}{result.stderr}"
    return result.stdout + result.stderr


def looks(text):
    """The two positions that were looked at, and the capacities that the cache grew to."""
    pattern = r"position +(\d+) .*\(processor +([\d.]+)\)  resident +([\d.]+) MiB  heap +([\d.]+) KiB  tensors +([\d.]+) KiB  live scores (\d+) of (\d+)"
    found = [dict(zip(("position", "time", "resident", "heap", "tensors", "live", "capacity"), map(float, m)))
             for m in re.findall(pattern, text)]
    assert len(found) == 2, text
    return found, [int(n) for n in re.findall(r"the cache grows to (\d+)", text)]


def constant_cost(first, tokens, ratio):
    # A neighbour on the machine can slow one end of a run; not every time, so the best of some decides about time.
    slowdown = math.inf
    for attempt in range(8):
        text = stream("--first", str(first), "--tokens", str(tokens))
        print(text, end="")
        (early, late), grown = looks(text)
        assert (early["position"], late["position"]) == (first, tokens)
        assert grown == [] and late["tensors"] == early["tensors"], "the tensors of the process have grown"
        growth = late["heap"] - early["heap"]
        assert growth < 16, f"the heap has grown by {growth:.1f} KiB"
        # The system maps pages of code and of its large folios, some MiB at a time, now here, now there.
        growth = late["resident"] - early["resident"]
        assert late["resident"] > 0 and growth < 8, f"resident memory has grown by {growth:.2f} MiB"
        slowdown = min(slowdown, late["time"] / early["time"])
        if slowdown < ratio:
            return
    raise AssertionError(f"a token takes {slowdown:.2f} times as long")


def flat():
    constant_cost(5_000, 40_000, 1.5)


def million():
    constant_cost(10_000, 1_000_000, 1.3)


def grows():
    """Equal scores keep every key alive: 4 bytes each for two heads, and nothing else."""
    (early, late), grown = looks(stream("--first", "3000", "--tokens", "20000", "--scores", "constant"))
    # All candidates, which are the keys older than the window.
    assert (early["live"], late["live"]) == (3000 - 128, 20000 - 128), (early, late)
    assert grown == [8192, 16384, 32768] and late["capacity"] == 32768
    assert late["tensors"] - early["tensors"] == 2 * 4 * (32768 - 4096) / 1024, "more than the scores has grown"
    # Rising ones are dropped in time.
    (early, late), grown = looks(stream("--first", "3000", "--tokens", "24000", "--scores", "rising", "--topk", "16"))
    assert late["live"] < 8192 and grown == [8192], (late, grown)


def refuses():
    assert "--unknown" in stream("--unknown", status=2)
    assert "--scores" in stream("--scores", "falling", status=2)
    assert "streaming: error:" in stream("--program", "/nowhere.heddle", status=1)


CHECKS = {check.__name__: check for check in (flat, million, grows, refuses)}

if __name__ == "__main__":
    for check in sys.argv[2:]:
        CHECKS[check]()
