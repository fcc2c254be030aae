"""What the kernels of attention must do: products and bytes of one call, 16 heads, from the sizes alone.

Scores are taken as independent and alike, as gpu-bench draws them: query i, which has c = i - w + 1 keys to choose from, then
selects its newest one with probability min(1, k / c).
"""

import itertools
import math

HEADS, TOPK, WINDOW = 16, 512, 512
TASK = 128  # keys of a task
CHUNK = 2048  # queries that share a list of keys in the backward pass, about
# (Queries of a tile, keys of a block) of kernels by queries, for heads up to this width.
SIZES = {"forward": {64: (192, 80), 128: (192, 64)}, "dq": {64: (192, 64), 128: (128, 80)}}


def _sizes(kernel, d):
    return next(sizes for width, sizes in SIZES[kernel].items() if d <= width)


def _selected(n):
    """A function: how many keys some query of [first, last] selects, expected."""
    entering = [min(1.0, TOPK / (i - WINDOW + 1)) if i >= WINDOW else 0.0 for i in range(n)]
    before = [0.0, *itertools.accumulate(entering)]
    return lambda first, last: min(TOPK, max(0, first - WINDOW + 1)) + before[last + 1] - before[first + 1]


def _blocks(n, block, rows):
    """Blocks of keys that tiles of `rows` queries multiply with: of selected keys, and of windows."""
    selected, count = _selected(n), 0
    for first in range(0, n, rows):
        last = min(first + rows, n) - 1
        count += math.ceil(round(selected(first, last), 6) / block) + math.ceil((last + 1 - max(0, first - WINDOW + 1)) / block)
    return count


def useful(n, d, direction):
    """FLOPs of the k + w keys of a query."""
    return {"forward": 1, "backward": 2.5}[direction] * 4 * n * (TOPK + WINDOW) * d * HEADS


def query_side(n, d, kernel, products):
    """FLOPs of tiles of queries with whole blocks of keys."""
    tile, block = _sizes(kernel, d)
    return _blocks(n, block, tile) * block * tile * 2 * d * products * HEADS


def key_side(n, d):
    """FLOPs of four products: tasks of windows, where each half of 64 keys leaves out blocks of queries that see none of its keys,
    and tasks of the selected keys of a chunk, which are multiplied with all of its queries at most."""
    in_selected, in_window = (min(96, max(64, (registers - d) // step * step)) for registers, step in ((160, 32), (192, 16)))  # queries of a block
    half, pairs, selected = TASK // 2, 0, _selected(n)
    for first in range(0, n, TASK):
        for start in (0, half):
            end = min(n - first, start + half + WINDOW - 1)
            pairs += (math.ceil(end / in_window) - start // in_window) * in_window * half
    for first in range(0, n, CHUNK):
        last = min(first + CHUNK, n) - 1
        pairs += math.ceil(round(selected(first, last), 6) / TASK) * TASK * math.ceil((last + 1 - first) / in_selected) * in_selected
    return pairs * 2 * d * 4 * HEADS


def executed(n, d, direction):
    if direction == "forward":
        return query_side(n, d, "forward", 2)
    return query_side(n, d, "dq", 3) + key_side(n, d)


def training_step(n, attention):
    """FLOPs of char_lm's step, 12 layers of width 768: products, three times those of the forward pass, and 12 heads of 64 in
    each layer, counted by `attention(n, d, direction)`."""
    weights = 12 * (4 * 768 * 768 + 3 * 768 * 2048 + 768 * 12) + 768 * 256
    return 6 * n * weights + 12 * 12 / HEADS * sum(attention(n, 64, direction) for direction in ("forward", "backward"))


def moved(n, d, direction):
    """Bytes of tensors in bf16, each once: q, k, v, o; or q, k, v, o, do, dq, dk, dv."""
    return {"forward": 4, "backward": 8}[direction] * n * d * HEADS * 2


def gathered(n, d):
    """Bytes of keys and values that the forward pass copies to shared memory."""
    tile, block = _sizes("forward", d)
    return _blocks(n, block, tile) * block * 2 * d * 2 * HEADS
