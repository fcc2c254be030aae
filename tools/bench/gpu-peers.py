#!/usr/bin/env python3
"""Times PyTorch on this machine's GPU at what tools/gpu-check measures, as JSON: {"version": …, name: milliseconds, …}.

    gpu-peers.py [NAME…]     default everything
"""

import json
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


def timed(f, rounds=15, before=3):
    """Median time of single launches by events, in milliseconds, after some that do not count."""
    times = []
    for _ in range(rounds + before):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        f()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times[before:])[rounds // 2]


def fastest():
    """Dense attention by cuDNN, or by FlashAttention-2 where that cannot."""
    return sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION], set_priority=True)


def wants(*names):
    return len(sys.argv) == 1 or any(name in sys.argv for name in names)


def attention(results):
    for n, d in [(4096, 128), (8192, 128), (16384, 128), (32768, 128), (65536, 128), (131072, 128), (32768, 64)]:
        if not wants(f"attention_forward_{n}_{d}", f"attention_backward_{n}_{d}"):
            continue
        q, k, v = (torch.randn(1, 16, n, d, device="cuda", dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
        with fastest():
            dense = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
            out = dense()
            cotangent = torch.randn_like(out)
            rounds = 15 if n <= 32768 else 5
            with torch.no_grad():
                results[f"attention_forward_{n}_{d}"] = timed(dense, rounds)
            results[f"attention_backward_{n}_{d}"] = timed(
                lambda: torch.autograd.grad(out, (q, k, v), cotangent, retain_graph=True), rounds)


def products(results):
    for n, dtype, name in [(4096, torch.bfloat16, "matmul_bf16"), (4096, torch.float32, "matmul_f32")]:
        if not wants(name):
            continue
        a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
        results[name] = timed(lambda: a @ b)


class Block(torch.nn.Module):
    """The block of std.nn with dense causal attention."""

    def __init__(self, width, heads, inside):
        super().__init__()
        self.heads = heads
        self.norms = torch.nn.ModuleList(torch.nn.RMSNorm(width) for _ in range(2))
        self.qkv, self.out = torch.nn.Linear(width, 3 * width, bias=False), torch.nn.Linear(width, width, bias=False)
        self.gate_up, self.down = torch.nn.Linear(width, 2 * inside, bias=False), torch.nn.Linear(inside, width, bias=False)

    def forward(self, x, cos, sin):
        b, n, width = x.shape
        q, k, v = self.qkv(self.norms[0](x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)

        def rope(t):
            left, right = t.chunk(2, dim=-1)
            return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1).to(v.dtype)
        o = F.scaled_dot_product_attention(rope(q), rope(k), v, is_causal=True)
        x = x + self.out(o.transpose(1, 2).reshape(b, n, width))
        gate, up = self.gate_up(self.norms[1](x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Model(torch.nn.Module):
    def __init__(self, vocabulary=256, width=768, heads=12, inside=2048, layers=12):
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, width)
        self.blocks = torch.nn.ModuleList(Block(width, heads, inside) for _ in range(layers))
        self.norm = torch.nn.RMSNorm(width)
        self.half = width // heads // 2

    def forward(self, tokens):
        x = self.embed(tokens).bfloat16()
        angles = torch.arange(tokens.shape[1], device=x.device)[:, None] * 10000.0 ** (
            -torch.arange(self.half, device=x.device) / self.half)
        cos, sin = angles.cos().bfloat16(), angles.sin().bfloat16()
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.linear(self.norm(x), self.embed.weight)


def train(results):
    for n, rounds in [(32768, 7), (131072, 2)]:
        if wants(f"train_step_{n}"):
            train_step(results, n, rounds)


def train_step(results, n, rounds):
    """One step in bf16 with f32 masters, compiled for this length."""
    torch.compiler.reset()
    torch.manual_seed(0)
    model = Model().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    batch = torch.randint(256, (1, n + 1), device="cuda")

    @torch.compile
    def loss(batch):
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(batch[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())

    def step():
        optimizer.zero_grad(set_to_none=True)
        with fastest():
            loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
    torch.cuda.reset_peak_memory_stats()
    results[f"train_step_{n}"] = timed(step, rounds, min(rounds, 3))
    results[f"train_step_{n}_bytes"] = torch.cuda.max_memory_allocated()


def main():
    results = {"version": torch.__version__}
    parts = {"attention": attention, "products": products, "train": train}
    for name, measure in parts.items():
        try:
            measure(results)
        except Exception as error:  # what this PyTorch cannot do is no peer
            results[f"{name}_error"] = f"{type(error).__name__}: {error}"[:500]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
