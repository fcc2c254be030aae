#!/usr/bin/env python3
"""Times attention of one query a head over a few keys, as PyTorch does it on the CPU.

    torch-decode.py QUERY_HEADS HEADS KEYS WIDTH THREADS [--processor-time]

Prints a line of JSON with the version first, then for each line on the standard input one with `us`, the mean of 200 calls.
"""

import json
import sys
import time

import torch

query_heads, heads, keys, width, threads = map(int, sys.argv[1:6])
clock = time.process_time if "--processor-time" in sys.argv else time.perf_counter
torch.set_num_threads(threads)
torch.manual_seed(1)
q = torch.randn(1, query_heads, 1, width)
k, v = (torch.randn(1, heads, keys, width) for _ in range(2))
print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
calls = 200
with torch.inference_mode():
    for _ in sys.stdin:
        start = clock()
        for _ in range(calls):
            torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=query_heads != heads)
        print(json.dumps({"us": 1e6 * (clock() - start) / calls}), flush=True)
