#!/usr/bin/env python3
"""Measures programs on this machine's first GPU, beside a copy of memory or PyTorch in the same run.

    gpu-bench.py --heddle HEDDLE [--out FILE.json] [--only NAME[:N]…]

Prints a table; writes {"measurements": […], "failures": {name: text}}. Times are those of whole calls with all arguments on the
device, which a graph replays; some tens of microseconds of each are the host's. Without PyTorch there are no peers.
"""

import argparse
import array
import concurrent.futures
import dataclasses
import json
import math
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CHAR_LM = next((p for p in (HERE.parent / "examples", HERE.parents[1] / "examples") if p.exists()), HERE) / "char_lm/char_lm.heddle"
RENAMED = {"N": "n", "E": "d", "Hq": "heads", "H": "kv_heads", "K": "k", "W": "w", "B": "batch", "M": "m"}


@dataclasses.dataclass
class Measurement:
    """An entry of a program, its values and dimensions, and what its time is compared with."""
    name: str
    program: pathlib.Path
    entry: str
    values: list
    sizes: dict
    dtype: str
    moved: int = 0  # bytes that must be moved
    flops: float = 0  # useful ones
    peers: list = ()  # names of what PyTorch does in the same time (gpu-peers.py), which are added
    rounds: int = 30
    scores: str = ""  # a name of SCORES for the argument u, else it is among the values
    checkpoint: bool = False  # whether activations are computed again in the backward pass
    options: list = ()
    environment: dict = dataclasses.field(default_factory=dict)
    initialised: bool = False  # whether the argument p is what the program's `init` gives
    between: list = ()  # dimensions of two runs; what is measured is their difference for each step
    kernels: bool = False  # whether only those of a call count that GROUPS tells

    def params(self):
        special = {"scores": self.scores} if self.scores else {}
        if "--tf32" in self.options:
            special["tf32"] = True
        if self.checkpoint:
            special["checkpoint"] = True
        if self.environment:
            special["library"] = False
        return {RENAMED.get(key, key.lower()): size for key, size in self.sizes.items()} | {"dtype": self.dtype} | special


def rows(name, entry, values, moved):
    """64 Mi elements, `moved` bytes for each."""
    return Measurement(name, HERE / "rows.heddle", entry, values, dict(M=16384, N=4096), "f32", moved=moved * 16384 * 4096)


# Scores that select differently: of all keys alike, of every new key, of ties, of blocks that replace each other.
SCORES = {
    "normal": lambda i, n, draw: draw.gauss(0, 1),
    "constant": lambda i, n, draw: 1.0,
    "rising": lambda i, n, draw: 4 * i / n,
    "tied": lambda i, n, draw: round(draw.gauss(0, 1)),
    "drifting": lambda i, n, draw: 8 * i / n + draw.gauss(0, 1),
    "blocky": lambda i, n, draw: math.floor(16 * i / n) + 0.3 * draw.gauss(0, 1),
}


def write_scores(path, name, heads, n):
    """The same row for every head, moved by a key, as .npy."""
    draw = random.Random(4)
    row = array.array("f", (SCORES[name](i, n, draw) for i in range(n)))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {heads}, {n}), }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        for head in range(heads):
            file.write((row[head:] + row[:head] if name == "normal" else row).tobytes())


def selection(n, scores="normal"):
    """Thresholds of 16 heads: twelve selections less four."""
    return Measurement("sparsek_selection", HERE / "attention.heddle", "selection_passes", [], dict(N=n, H=16, K=512, W=512), "f32",
                       scores=scores, rounds=10, between=[{"T": 4}, {"T": 12}])


def sizes_of(n, d, kv_heads):
    return dict(N=n, Hq=16, H=kv_heads, E=d, K=512, W=512)


def useful(factor, n, d):
    """FLOPs of the k + w keys of a query, in 16 heads; dense peers do more."""
    return factor * 4 * n * 1024 * d * 16


# Kernels of thresholds and lists, of attention that has its lists, and of its gradients, those of scores through thresholds among them.
# The lists of a backward pass are in no group.
GROUPS = {
    "sparsek_lists": r"^k\d+_(threshold_(?!backward)|attention_(tile_keys|keys_))",
    "sparsek_forward": r"^k\d+_attention_(?!backward|tile_keys|keys_)",
    "sparsek_backward": r"^k\d+_(attention|threshold)_backward_(?!tile_keys|keys_)",
}


def alone(name, entry="forward_pass", factor=0, n=32768, d=128, kv_heads=16):
    """Some kernels of one pass of attention."""
    peers = [f"attention_{name.removeprefix('sparsek_')}_{n}_{d}"] if factor else []
    return Measurement(name, HERE / "attention.heddle", entry, ["seed=1"], sizes_of(n, d, kv_heads), "bf16", flops=useful(factor, n, d),
                       peers=peers, rounds=20, kernels=True)


def forward(**sizes):
    return alone("sparsek_forward", factor=1, **sizes)


def backward(**sizes):
    return alone("sparsek_backward", "backward_pass", 2.5, **sizes)


def lists(n):
    """Thresholds and lists of a forward pass."""
    return alone("sparsek_lists", n=n)


def whole(name, entry, factor, peers, values=(), n=32768, d=128):
    """A call with its selection."""
    return Measurement(name, HERE / "attention.heddle", entry, ["q=normal:1", "k=normal:2", "v=normal:3", "u=normal:4", *values],
                       sizes_of(n, d, 16), "bf16", flops=useful(factor, n, d), peers=[f"attention_{peer}_{n}_{d}" for peer in peers])


def product(name, entry, dtype, sizes, values, options=(), environment={}):
    """2 m n k FLOPs. Beside the library's product stands the kernel that is generated where the library is missing."""
    return Measurement(name, HERE / "products.heddle", entry, values, sizes, dtype, flops=2 * math.prod(sizes.values()),
                       peers=[] if options else [name], options=options, environment=environment)


def decode(position):
    """A token after `position` others: a run of 576 tokens less one of 64, since both fill the cache first."""
    sizes = dict(N=position, Hq=16, H=16, E=128, K=512, W=512, C=8192)
    return Measurement("sparsek_decode", HERE / "decode.heddle", "stream", ["seed=1"], sizes, "f32", rounds=10,
                       between=[{"T": 64}, {"T": 576}])


def train(n, checkpoint=False, rounds=10):
    """A step of char_lm on one sequence, in the memory of the parameters and their moments."""
    values = ["state=zeros", "batch=randint:3:256", "rate=0.001"]
    sizes = dict(V=256, D=768, Hq=12, H=12, E=64, M=2048, L=12, K=512, W=512, N=n, B=1)
    return Measurement("train_step", CHAR_LM, "train_step_bf16", values, sizes, "bf16", peers=[f"train_step_{n}"], rounds=rounds,
                       options=["--donate", "p,state", *(["--dim", "R=1"] if checkpoint else [])], checkpoint=checkpoint, initialised=True)


WITHOUT_LIBRARY = {"HEDDLE_CUBLASLT": "/nonexistent"}
SQUARE = dict(M=4096, K=4096, N=4096)
LENGTHS = [4096, 8192, 16384, 32768, 65536, 131072, 262144]
MEASURED = [
    rows("copy", "scaled", ["x=normal:1"], 8),
    rows("layer_norm", "layer", ["x=normal:1", "gain=ones", "bias=zeros"], 8),
    rows("layer_norm_backward", "layer_grad", ["x=normal:1", "gain=ones", "bias=zeros", "dy=normal:2"], 12),
    rows("softmax", "soft", ["x=normal:1"], 8),
    rows("softmax_backward", "soft_grad", ["x=normal:1", "dy=normal:2"], 12),
    rows("rms_norm_backward", "rms_grad", ["x=normal:1", "gain=ones", "dy=normal:2"], 12),
    rows("adamw", "optimiser", ["p=normal:1", "g=normal:2", "state=zeros", "rate=0.001"], 28),
    *(selection(n) for n in (4096, 8192, 131072, 262144)),
    *(selection(32768, scores) for scores in SCORES),
    *(lists(n) for n in LENGTHS),
    *(forward(n=n) for n in LENGTHS),
    forward(kv_heads=4),
    forward(d=64),
    *(backward(n=n) for n in (4096, 32768, 131072)),
    backward(kv_heads=4),
    backward(d=64),
    *(whole("sparsek_forward_selection", "forward", 1, ["forward"], n=n) for n in (4096, 32768)),
    whole("sparsek_forward_backward", "gradients", 3.5, ["forward", "backward"], ["dout=normal:5"]),
    decode(10_000),
    decode(1_000_000),
    product("matmul_bf16", "matmul_bf16", "bf16", SQUARE, ["a=normal:1", "b=normal:2"]),
    product("matmul_bf16", "matmul_bf16", "bf16", SQUARE, ["a=normal:1", "b=normal:2"], environment=WITHOUT_LIBRARY),
    product("matmul_f32", "matmul_f32", "f32", SQUARE, ["a=normal:1", "b=normal:2"]),
    product("matmul_f32", "matmul_f32", "f32", SQUARE, ["a=normal:1", "b=normal:2"], environment=WITHOUT_LIBRARY),
    product("matmul_f32", "matmul_f32", "f32", SQUARE, ["a=normal:1", "b=normal:2"], options=["--tf32"]),
    train(32768),
    train(32768, checkpoint=True),
    train(131072, rounds=5),
]


TOO_LONG = "it does not end"


def run(heddle, m, values, sizes, environment, rounds, limit=75):
    """(median, 10th and 90th percentile in milliseconds, most MiB on the device), or what went wrong."""
    out, failure = output(heddle, m, values, sizes, environment, rounds, limit)
    if failure:
        return None, failure
    found = re.search(r"run median ([\d.]+) ms, p10 ([\d.]+), p90 ([\d.]+), \d+ runs; peak memory ([\d.]+) MiB", out)
    return (tuple(map(float, found.groups())), None) if found else (None, out[-500:])


tables = {}  # what programs have printed of their kernels, with all of GROUPS


def of_kernels(heddle, m, values, environment):
    """As run, of a group of a call's kernels, adjacent ones timed together: the median of their sum, so there are no percentiles."""
    program = (m.entry, *sorted(m.sizes.items()))
    if program not in tables:
        groups = [f"--together={name}={expression}" for name, expression in GROUPS.items()]
        out, failure = output(heddle, m, [*values, "--kernels", *groups], m.sizes, environment, m.rounds)
        if failure:
            return None, failure
        tables[program] = out
    peak = re.search(r"peak memory ([\d.]+) MiB", tables[program])
    times = [float(row[3]) for row in map(str.split, tables[program].splitlines()) if len(row) == 6 and row[5] == "%" and row[0] == m.name]
    if not times or not peak:
        return None, f"no kernel matches {GROUPS[m.name]}\n{tables[program][-3000:]}"
    return (round(times[0] / 1e3, 5), None, None, float(peak[1])), None


def output(heddle, m, values, sizes, environment, rounds, limit=75):
    """What the run of a program prints, or what went wrong."""
    command = [heddle, "run", m.program, m.entry, *values, "--dim", ",".join(f"{key}={size}" for key, size in sizes.items()),
               "--repeat", rounds, "--device", "cuda", *m.options]
    try:
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                env={**os.environ, **environment, **m.environment}, timeout=limit)
    except subprocess.TimeoutExpired:
        return None, TOO_LONG
    if result.returncode != 0:
        return None, f"exit status {result.returncode}\n{result.stdout[-500:]}{result.stderr[-3000:]}"
    return result.stdout, None


def compile_all(heddle, measurements, environment):
    """Runs every program once, as many at a time as there are processors, so that what is measured later finds its code in the
    cache. Gives back those that do not end."""
    def ends(m, sizes):
        values = [re.sub("=normal:.*", "=zeros", value) for value in m.values] + (["u=zeros"] if m.scores else []) + (["p=zeros"] if m.initialised else [])
        return run(heddle, m, values, m.sizes | sizes, environment, rounds=1, limit=150)[1] != TOO_LONG
    # What takes long is at the end of the list, and comes first.
    jobs = [(m, sizes) for m in reversed(measurements) for sizes in m.between or [{}]
            if m.name != "sparsek_lists" or not any(o.name == "sparsek_forward" and o.sizes == m.sizes for o in measurements)]  # one program
    with concurrent.futures.ThreadPoolExecutor(min(16, os.cpu_count())) as pool:
        return [m for (m, _), good in zip(jobs, pool.map(lambda job: ends(*job), jobs)) if not good]


def initial(heddle, m, folder, environment):
    """A file with what the program's `init` gives from seed 1, for the sizes that it has."""
    path, parts = folder / "p.safetensors", folder / "p"
    if not path.exists():
        sizes = ",".join(f"{key}={m.sizes[key]}" for key in ("V", "D", "Hq", "H", "E", "M", "L"))
        subprocess.run([heddle, "run", m.program, "init", "seed=1", "--dim", sizes, "--device", "cuda", "--out", parts],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment}, timeout=75)
        header, blocks, end = {}, [], 0
        for part in sorted(parts.glob("*.npy")):
            data = part.read_bytes()
            start = 10 + struct.unpack("<H", data[8:10])[0]  # of version 1.0
            shape = [int(extent) for extent in re.search(rb"'shape': \(([^)]*)\)", data[:start])[1].split(b",") if extent.strip()]
            header[part.stem] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + len(data) - start]}
            blocks.append(memoryview(data)[start:])
            end += len(data) - start
        text = json.dumps(header).encode()
        with open(path, "wb") as file:
            file.writelines([struct.pack("<Q", len(text)), text, *blocks])
    return path


def measure(heddle, m, folder, environment):
    values = list(m.values)
    if m.initialised:
        try:
            values.append(f"p={initial(heddle, m, folder, environment)}")
        except subprocess.CalledProcessError as error:
            return None, f"init: exit status {error.returncode}\n{error.stderr.decode(errors='replace')[-3000:]}"
        except subprocess.TimeoutExpired:
            return None, TOO_LONG
    if m.scores:
        write_scores(folder / "u.npy", m.scores, m.sizes["H"], m.sizes["N"])
        values.append(f"u={folder / 'u.npy'}")
    if m.kernels:
        return of_kernels(heddle, m, values, environment)
    if not m.between:
        return run(heddle, m, values, m.sizes, environment, m.rounds)
    both = [run(heddle, m, values, m.sizes | sizes, environment, m.rounds) for sizes in m.between]
    if failure := both[0][1] or both[1][1]:
        return None, failure
    steps = m.between[1]["T"] - m.between[0]["T"]
    return tuple(round((late - early) / steps, 5) for early, late in zip(both[0][0][:3], both[1][0])) + both[1][0][3:], None


def beside(m, times, peers, copy):
    """The measurement as JSON."""
    median, p10, p90, peak = times
    result = {"name": m.name, "params": m.params(), "median_ms": median}
    if p10 is not None:
        result |= {"p10_ms": p10, "p90_ms": p90}
    result["peak_mib"] = peak
    if m.moved:
        result["gb_per_s"] = round(m.moved / median / 1e6, 1)
    if m.flops:
        result["useful_tflops"] = round(m.flops / median / 1e9, 1)
    if m.peers and all(peer in peers for peer in m.peers):
        if f"{m.peers[0]}_bytes" in peers:
            result["peer_peak_mib"] = round(peers[f"{m.peers[0]}_bytes"] / 2**20, 1)
        what = "the same product" if m.name.startswith("matmul") else "dense attention"
        result["peer"], result["peer_ms"] = f"PyTorch {peers['version']}, {what}", round(sum(peers[p] for p in m.peers), 3)
    elif m.moved and copy:
        result["peer"], result["peer_ms"] = "copy of as many bytes", round(m.moved / copy / 1e6, 4)
    if "peer_ms" in result:
        result["times_faster"] = round(result["peer_ms"] / median, 3)
    return result


HEAD = f"{'name':<26}{'n':>8}{'d':>5}{'kv':>4}{'median ms':>11}{'p10':>9}{'p90':>9}{'GB/s':>8}{'TFLOP/s':>9}{'took s':>8}  times faster than"


def show(m):
    p = m["params"]
    percentile = lambda key: f"{m[key]:.4g}" if key in m else ""
    peer = f"{m['times_faster']:.2f}, {m['peer']}" if "peer" in m else ""
    peer = " ".join([peer, p.get("scores", ""), *(word for key, word in (("tf32", "TF32"), ("checkpoint", "checkpoints")) if p.get(key)),
                     *(["generated"] if p.get("library") is False else [])]).strip()
    print(f"{m['name']:<26}{p['n']:>8}{p.get('d', ''):>5}{p.get('kv_heads', ''):>4}{m['median_ms']:>11.4g}{percentile('p10_ms'):>9}{percentile('p90_ms'):>9}"
          f"{m.get('gb_per_s', ''):>8}{m.get('useful_tflops', ''):>9}{m['seconds']:>8}  {peer}", flush=True)


def measure_peers(names):
    """The times of gpu-peers.py, or none and why."""
    try:
        found = subprocess.run([sys.executable, str(HERE / "gpu-peers.py"), *names], capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        return {}, "PyTorch did not end in 180 s"
    if found.returncode != 0:
        return {}, f"PyTorch cannot be used here: {(found.stderr.strip().splitlines() or ['no message'])[-1]}"
    return json.loads(found.stdout), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heddle", required=True, type=pathlib.Path, help="the command")
    parser.add_argument("--out", type=pathlib.Path, help="the JSON file")
    parser.add_argument("--only", nargs="+", help="names of measurements, with the length that is meant", metavar="NAME[:N]")
    options = parser.parse_args()
    chosen = [m for m in MEASURED if not options.only or {m.name, f"{m.name}:{m.params()['n']}"} & set(options.only)]
    start = time.monotonic()
    names = sorted({peer for m in chosen for peer in m.peers})
    peers, why = measure_peers(names) if names else ({}, "none is wanted")
    print(f"PyTorch took {time.monotonic() - start:.0f} s" if peers else f"there are no peers: {why}", flush=True)
    measurements, failures, copy = [], {}, None
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = {"HEDDLE_CACHE": str(folder / "cache")}
        start = time.monotonic()
        hanging = compile_all(options.heddle, chosen, environment)
        print(f"compilation took {time.monotonic() - start:.0f} s")
        print(HEAD)
        for m in chosen:
            start = time.monotonic()
            times, failure = (None, TOO_LONG) if m in hanging else measure(options.heddle, m, folder, environment)
            if failure:
                failures[f"{m.name} {m.params()}"] = failure
                print(f"{m.name:<26} failed: {failure}")
            else:
                result = beside(m, times, peers, copy) | {"seconds": round(time.monotonic() - start, 1)}
                copy = copy or (result["gb_per_s"] if m.name == "copy" else None)
                measurements.append(result)
                show(result)
            if options.out:  # whole or not at all, after every measurement
                partial = options.out.with_suffix(".part")
                partial.write_text(json.dumps({"measurements": measurements, "failures": failures, "peers": peers}, indent=1) + "\n")
                partial.replace(options.out)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
