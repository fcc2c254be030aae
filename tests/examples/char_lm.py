#!/usr/bin/env python3
"""The example char_lm as a user meets it: it learns, stops and resumes, and refuses what is wrong.

    char_lm.py CHAR_LM [NAME…]      run the named checks, or all
"""

import csv
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

os.environ["HEDDLE_CACHE"] = "off"  # what is tested is compiled
PROGRAM = sys.argv[1]
HEDDLE = str(pathlib.Path(PROGRAM).parent / "heddle")
MODEL = str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "char_lm" / "char_lm.heddle")
# Budgets smaller than the text, so that the selection matters.
ODD = ["--topk", "5", "--window", "7"]
SMALL = ["--layers", "2", "--width", "64", "--context", "64", "--tokens", "512", "--topk", "8", "--window", "8", "--sample", "0"]


def text(folder):
    """300 kB of sentences from a small grammar: easy to learn, the same everywhere."""
    path = folder / "text.txt"
    draw = random.Random(5)
    words = ["the weaver", "a shuttle", "the loom", "one thread", "the heddle", "lifts", "holds", "crosses", "follows", "passes"]
    with path.open("w") as file:
        while file.tell() < 300_000:
            file.write(f"{draw.choice(words[:5])} {draw.choice(words[5:])} {draw.choice(words[:5])}.\n")
    return path


def train(folder, name, *options, status=0):
    out = folder / name
    command = [PROGRAM, "--text", str(folder / "text.txt"), "--out", str(out), *SMALL, *options]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    assert result.returncode == status, f"exit status {result.returncode}:\n{result.stdout}{result.stderr}"
    return out, result


def losses(out):
    with (out / "loss.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def selections(out):
    """(mean gate, dead scores, turnover) by step, where the step has them."""
    with (out / "loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ("mean_gate", "dead_scores", "turnover")
    for row in rows:
        assert len({row[name] == "" for name in names}) == 1, row
    return {int(row["step"]): tuple(float(row[name]) for name in names) for row in rows if row["mean_gate"]}


def logs_selection(folder):
    out, result = train(folder, "log", "--steps", "25", "--log-every", "10")
    seen = selections(out)
    assert sorted(seen) == [10, 20, 25], seen
    for step, (gate, dead, turnover) in seen.items():
        assert 0 < gate <= 1 and 0 <= dead < 1 and 0 <= turnover <= 1, seen
        assert f"step {step}/25  selection: mean gate {gate:.3f}, dead scores {100 * dead:.1f} %, turnover {turnover:.3f}" in result.stdout, result.stdout
    # A budget of the whole context: nothing competes.
    out, _ = train(folder, "all", "--steps", "2", "--topk", "64", "--log-every", "1")
    assert selections(out) == {1: (1, 0, 0), 2: (1, 0, 0)}, selections(out)
    for options in (["--log-every", "0"], ["--topk", "0"]):
        out, result = train(folder, "never", "--steps", "2", *options)
        assert selections(out) == {} and "selection" not in result.stdout, result.stdout


def learns(folder):
    out, result = train(folder, "learn", "--steps", "200", "--sample", "80")
    curve = losses(out)
    assert len(curve) == 200 and curve[0] > 4 and curve[-1] < 0.6 * curve[0], curve[::10]
    ratio = float(result.stdout.split("ratio ")[1].split()[0])
    assert ratio < 1, result.stdout
    assert "compile time:" in result.stdout and "peak memory:" in result.stdout and "sample:\nAnd God said" in result.stdout
    assert (out / "loss.svg").read_text().startswith("<svg"), "no picture"


def resumes(folder):
    whole, _ = train(folder, "whole", "--steps", "12")
    # The same schedule, stopped by Ctrl-C in the middle.
    out = folder / "stopped"
    command = [PROGRAM, "--text", str(folder / "text.txt"), "--out", str(out), *SMALL, "--steps", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    for line in process.stdout:
        if line.startswith("step "):
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, f"exit status {process.returncode}: {rest}"
    done = len(losses(out))
    assert done >= 1 and (out / "checkpoint.safetensors").exists() and f"interrupted after step {done}" in rest
    # Resumed from a checkpoint, the losses are those of a run that was not interrupted, to the bit.
    train(folder, "first", "--steps", "12", "--stop", "5", "--log-every", "5")
    resumed, _ = train(folder, "second", "--steps", "12", "--resume", str(folder / "first" / "checkpoint.safetensors"))
    assert losses(resumed) == losses(whole), (losses(resumed), losses(whole))
    assert sorted(selections(resumed)) == [5, 12] and selections(resumed)[12] == selections(whole)[12], "the log goes on"


def agrees_with_dense(folder):
    fused, _ = train(folder, "fused", "--steps", "50")
    dense, _ = train(folder, "dense", "--steps", "50", "--dense")
    worst = max(abs(a - b) / abs(b) for a, b in zip(losses(fused), losses(dense)))
    assert worst < 1e-3, f"the loss curves differ by {worst:.2e} relative"


def trains_in_bf16(folder):
    single, _ = train(folder, "single", "--steps", "60")
    half, _ = train(folder, "half", "--steps", "60", "--dtype", "bf16")
    a, b = losses(single), losses(half)
    assert a[0] != b[0] and a[-1] < 0.8 * a[0], (a[0], b[0], a[-1])
    assert abs(a[-1] - b[-1]) < 0.02 * a[-1], f"bf16 ends at {b[-1]}, f32 at {a[-1]}"


def computes_again(folder):
    """Blocks that are computed again in the backward pass give the same losses."""
    kept, _ = train(folder, "kept", "--steps", "4", *ODD)
    again, _ = train(folder, "again", "--steps", "4", "--checkpoint", *ODD)
    assert losses(kept) == losses(again), (losses(kept), losses(again))


def model_of(checkpoint, path):
    """The tensors `model.…` of a checkpoint as a file of their own, which `heddle run` reads."""
    data = checkpoint.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header, body = {}, b""
    for name, leaf in json.loads(data[8:start]).items():
        if name.startswith("model."):
            low, high = leaf["data_offsets"]
            header[name.removeprefix("model.")] = leaf | {"data_offsets": [len(body), len(body) + high - low]}
            body += data[start + low : start + high]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def generates(folder):
    """Every byte that is generated with caches is the likeliest by the logits of the full sequence."""
    length = 150
    out, result = train(folder, "generate", "--steps", "150", "--sample", str(length), "--temperature", "0", *ODD)
    sample = result.stdout.split("sample:\n")[1].split("\nwrote ")[0].encode()
    assert len(sample) == length and sample.startswith(b"And God said") and b"?" not in sample, sample
    assert float(result.stdout.split("generation: ")[1].split(" bytes/s")[0]) > 0, result.stdout
    model_of(out / "checkpoint.safetensors", folder / "model.safetensors")
    np.save(folder / "tokens.npy", np.frombuffer(sample, np.uint8).astype(np.int32)[None])
    command = [HEDDLE, "run", MODEL, "logits", f"p={folder / 'model.safetensors'}", f"tokens={folder / 'tokens.npy'}"]
    subprocess.run([*command, "--dim", "K=5,W=7", "--out", str(folder / "logits")], check=True, stdout=subprocess.DEVNULL)
    logits = np.load(folder / "logits" / "out.npy")[0, len("And God said") - 1 : -1]
    chosen = logits[np.arange(len(logits)), list(sample[len("And God said") :])]
    # The two ways add in different orders: the likeliest may differ where two logits are equal to rounding.
    worst = np.max(logits.max(axis=1) - chosen)
    assert worst < 1e-4, f"a generated byte is {worst:.2e} below the likeliest"
    assert len(set(sample[-60:])) > 5, f"the text holds too few different bytes to tell: {sample}"


def refuses(folder):
    _, result = train(folder, "x", "--tokens", "100", status=2)
    assert "100 is not a multiple of --context 64" in result.stderr + result.stdout, result.stderr
    (folder / "broken.safetensors").write_bytes(b"\xff" * 64)
    _, result = train(folder, "x", "--resume", str(folder / "broken.safetensors"), status=1)
    assert "char_lm: error:" in result.stderr and "broken.safetensors" in result.stderr, result.stderr
    result = subprocess.run([PROGRAM, "--text", str(folder / "nothing.txt")], capture_output=True, text=True)
    assert result.returncode == 1 and "cannot read the text" in result.stderr, result.stderr


CHECKS = {check.__name__: check for check in (learns, logs_selection, resumes, agrees_with_dense, trains_in_bf16, computes_again, generates, refuses)}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text(folder)
        failed = 0
        for check in sys.argv[2:] or CHECKS:
            start = time.time()
            try:
                CHECKS[check](folder)
                print(f"{check}: passed in {time.time() - start:.1f} s")
            except AssertionError as error:
                failed += 1
                print(f"{check}: FAILED: {error}")
        sys.exit(1 if failed else 0)
