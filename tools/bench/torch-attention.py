#!/usr/bin/env python3
"""Times dense causal attention of PyTorch on the CPU, one call for each line on the standard input.

    torch-attention.py LENGTH HEADS WIDTH THREADS [--forward-only] [--processor-time]

Prints a line of JSON with the version first, then one with `forward` and `backward` in milliseconds for each line read.
"""

import json
import resource
import sys
import time

import torch

length, heads, width, threads = map(int, sys.argv[1:5])
clock = time.process_time if "--processor-time" in sys.argv else time.perf_counter
torch.set_num_threads(threads)
torch.manual_seed(1)
q, k, v = (torch.randn(1, heads, length, width, requires_grad=True) for _ in range(3))
cotangent = torch.randn(1, heads, length, width)
print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
for _ in sys.stdin:
    start = clock()
    o = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    done = clock()
    times = {"forward": 1e3 * (done - start)}
    if "--forward-only" not in sys.argv:
        start = clock()
        o.backward(cotangent)
        times["backward"] = 1e3 * (clock() - start)
        for x in (q, k, v):
            x.grad = None
    del o
    times["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024e-3
    print(json.dumps(times), flush=True)
