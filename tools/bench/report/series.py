"""What the plots show, without drawing it: so that whether they are those of the committed results can be checked anywhere."""

import hashlib
import json
import re

from results import BENCH, LENGTHS, USUAL, pass_of

PLOTS = BENCH / "plots"
# The least useful TFLOP/s that a pass should reach at N = 32,768, and what is aimed at, by direction and width of a head.
BOUNDS = {("forward", 128): (380, 440), ("forward", 64): (240, 275), ("backward", 128): (300, 390), ("backward", 64): (200, 260)}
# What several versions have measured: what, name, parameters.
VERSIONS = [
    ("forward with its selection, N = 32,768", "sparsek_forward_selection", USUAL),
    ("forward with its selection, N = 4,096", "sparsek_forward_selection", USUAL | {"n": 4096}),
    ("forward and backward, N = 32,768", "sparsek_forward_backward", USUAL),
    ("thresholds, normal scores, N = 32,768", "sparsek_selection", dict(n=32768, scores="normal")),
    ("thresholds, rising scores, N = 32,768", "sparsek_selection", dict(n=32768, scores="rising")),
    ("thresholds, normal scores, N = 8,192", "sparsek_selection", dict(n=8192, scores="normal")),
    ("gradient of RMS norm, 64 Mi elements", "rms_norm_backward", {}),
    ("product 4096³, bf16, generated", "matmul_bf16", dict(library=False)),
    ("training step, N = 32,768", "train_step", dict(n=32768)),
]


def growth(history):
    """Milliseconds by length."""
    run = history[-1]
    lines = {"backward": lambda n: (pass_of(run, "backward", n=n) or {}).get("median_ms"),
             "forward": lambda n: (pass_of(run, "forward", n=n) or {}).get("median_ms"),
             "thresholds": lambda n: run.ms("sparsek_selection", n=n, scores="normal"),
             "thresholds and lists": lambda n: run.ms("sparsek_lists", n=n),
             "dense backward": lambda n: (pass_of(run, "backward", n=n) or {}).get("peer_ms"),
             "dense forward": lambda n: (pass_of(run, "forward", n=n) or {}).get("peer_ms")}
    return {name: [[n, time(n)] for n in LENGTHS if time(n)] for name, time in lines.items()}


def rates(history):
    """[what, TFLOP/s or None, floor, goal] of passes of attention at N = 32,768."""
    run = history[-1]
    return [[f"{direction}, heads of {d}{', 4 KV heads' if kv_heads == 4 else ''}",
             (pass_of(run, direction, d=d, kv_heads=kv_heads) or {}).get("useful_tflops"), *BOUNDS[direction, d]]
            for direction in ("forward", "backward") for d, kv_heads in [(128, 16), (128, 4), (64, 16)]]


def versions(history):
    """Milliseconds, commit by commit."""
    return {what: [[run.commit, run.ms(name, **params)] for run in history] for what, name, params in VERSIONS
            if sum(run.ms(name, **params) is not None for run in history) > 1}


ALL = [growth, rates, versions]


def digests(history):
    return {make.__name__: hashlib.sha256(json.dumps(make(history)).encode()).hexdigest()[:16] for make in ALL}


def drawn(name):
    """The digest in a committed plot."""
    path = PLOTS / f"{name}.svg"
    found = re.search(r"<!-- data ([0-9a-f]+) -->", path.read_text()) if path.exists() else None
    return found and found[1]
