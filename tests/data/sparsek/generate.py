#!/usr/bin/env python3
"""Writes the vectors in this folder: generate.py PATH/TO/sparsek_oracle.py

The oracle is the project's plain NumPy implementation of SPARSEK in float64; it is kept apart from this repository, so
that no implementation here can be adjusted together with it. Each case is one .safetensors file: inputs q k v u do in
f32, results in f64 and i32, and the operation's attributes as metadata.
"""
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

INF = np.inf


def scores(kind, shape, rng):
    """Scores of a named family. Returns f32 of `shape`; the last axis is the position."""
    n = shape[-1]
    normal = rng.standard_normal(shape)
    at = np.broadcast_to(np.arange(n), shape)
    u = {
        "normal": normal,
        "narrow": 0.05 * normal,
        "wide": 10 * normal,
        "grid": np.round(4 * normal) / 4,
        "constant": np.full(shape, 0.5),
        "rising": 0.3 * at,
        "falling": -0.3 * at,
        "steps": 2.0 * (at // 5),
        "far": 1e6 + np.round(8 * normal) / 8,
        "huge": np.where(rng.random(shape) < 0.3, 1e30 * np.sign(normal), normal),
        "infinite": np.where(rng.random(shape) < 0.3, INF * np.sign(normal), normal),
        "lowest": np.full(shape, -INF),
    }[kind]
    return u.astype(np.float32)


CASES = {
    # name: (batches, query heads, heads, length, width, value width, topk, window, scores, gate, straight-through)
    "groups": (2, 4, 2, 29, 5, 3, 6, 4, "normal", "both", False),
    "one-head": (1, 3, 1, 31, 4, 6, 5, 3, "normal", "both", False),
    "gate-value": (1, 2, 2, 29, 5, 5, 6, 4, "normal", "value", False),
    "gate-none": (1, 2, 1, 29, 5, 5, 6, 4, "normal", "none", False),
    "straight-through": (1, 2, 1, 29, 5, 5, 6, 4, "normal", "both", True),
    "straight-through-value": (1, 2, 1, 29, 5, 5, 6, 4, "normal", "value", True),
    "budget-of-everything": (1, 2, 1, 23, 5, 5, 40, 3, "normal", "both", False),
    "no-budget": (1, 2, 1, 23, 5, 5, 0, 5, "normal", "both", False),
    "no-window": (1, 2, 1, 29, 5, 5, 5, 0, "normal", "both", False),
    "window-of-everything": (1, 2, 1, 23, 5, 5, 4, 64, "normal", "both", False),
    "one-position": (1, 2, 2, 1, 3, 3, 2, 0, "normal", "both", False),
    "one-key": (1, 2, 1, 27, 3, 3, 1, 0, "narrow", "both", False),
    "narrow": (1, 2, 1, 37, 5, 5, 7, 2, "narrow", "both", False),
    "wide": (1, 2, 1, 37, 5, 5, 7, 2, "wide", "both", False),
    "grid": (1, 2, 1, 37, 5, 5, 6, 2, "grid", "both", False),
    "constant": (1, 2, 1, 29, 5, 5, 6, 2, "constant", "both", False),
    "rising": (1, 2, 1, 29, 5, 5, 6, 2, "rising", "both", False),
    "falling": (1, 2, 1, 29, 5, 5, 6, 2, "falling", "both", False),
    "steps": (1, 2, 1, 29, 5, 5, 6, 2, "steps", "both", False),
    "far": (1, 2, 1, 37, 5, 5, 6, 2, "far", "both", False),
    "huge": (1, 2, 1, 37, 5, 5, 6, 2, "huge", "both", False),
    "infinite": (1, 2, 1, 37, 5, 5, 6, 2, "infinite", "both", False),
    "lowest": (1, 2, 1, 23, 5, 5, 4, 2, "lowest", "both", False),
}
NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64", np.dtype(np.int32): "I32"}


def save(path, arrays, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for name, x in arrays.items():
        header[name] = dict(dtype=NAMES[x.dtype], shape=list(x.shape), data_offsets=[offset, offset + x.nbytes])
        offset += x.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(x).tobytes() for x in arrays.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def make(oracle, seed, case):
    b, hq, h, n, e, f, topk, window, kind, gate, hard = case
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    q, k, v, do, u = draw(b, hq, n, e), draw(b, h, n, e), draw(b, h, n, f), draw(b, hq, n, f), scores(kind, (b, h, n), rng)
    scale = e**-0.5
    wide = [x.astype(np.float64) for x in (q, k, v, u, do)]
    o, tau, end, dq, dk, dv, du = oracle.grouped(*wide, topk, window, scale, gate, hard)
    select = [[oracle.select(wide[3][ib, ih], topk, window) for ih in range(h)] for ib in range(b)]
    count = np.array([[head[3].sum(1) for head in row] for row in select])
    arrays = dict(q=q, k=k, v=v, u=u, do=do, o=o, tau=tau, count=count.astype(np.int32), end=end.astype(np.int32), dq=dq,
                  dk=dk, dv=dv, du=du)
    estimator = "straight_through" if hard else "soft"
    return arrays, dict(topk=str(topk), window=str(window), scale=repr(scale), gate=gate, estimator=estimator)


def main():
    spec = importlib.util.spec_from_file_location("oracle", sys.argv[1])
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    for seed, (name, case) in enumerate(CASES.items()):
        save(Path(__file__).parent / f"{name}.safetensors", *make(oracle, seed, case))
    print(f"wrote {len(CASES)} files")


if __name__ == "__main__":
    main()
