#!/usr/bin/env python3
"""Random tensor functions, compiled for the CPU and compared with the interpreter.

    random-tensors.py --compare build/release/bin/heddle-compare [--seed 1] [--count 50] [--functions 4]

Each seed gives one IR file of a few functions over small tensors of odd sizes. On a difference the file is kept and its
name printed; the exit status is 1.
"""

import argparse
import math
import pathlib
import random
import subprocess
import sys
import tempfile

EXTENTS = [1, 2, 3, 4, 5, 7, 8, 16]


class Block:
    """Lines of one block and the values that they may read."""

    def __init__(self, writer, values, depth):
        self.writer, self.values, self.depth, self.lines = writer, list(values), depth, []

    def emit(self, text, shape, element="f32"):
        name = self.writer.fresh()
        self.lines.append(f"{'  ' * self.depth}{name} = {text}")
        value = (name, tuple(shape), element)
        self.values.append(value)
        return value

    def pick(self, accept=lambda v: True):
        found = [v for v in self.values if v[2] == "f32" and accept(v)]
        # Recent values are more likely, so that chains grow.
        return self.writer.random.choice(found[-6:] if self.writer.random.random() < 0.7 else found) if found else None


def kind(shape, element="f32"):
    return "tensor<" + "".join(f"{n}x" for n in shape) + element + ">"


class Writer:
    def __init__(self, seed):
        self.random, self.number = random.Random(seed), 0

    def fresh(self):
        self.number += 1
        return f"%v{self.number}"

    # Each rule adds one operation to a block, or nothing where it does not apply.

    def unary(self, b):
        x = b.pick()
        op = self.random.choice(["neg", "abs", "tanh", "sin", "sigmoid", "floor", "sign", "cos"])
        b.emit(f"heddle.{op} {x[0]} : {kind(x[1])}", x[1])

    def binary(self, b):
        x = b.pick()
        y = b.pick(lambda v: v[1] == x[1])
        op = self.random.choice(["add", "sub", "max", "min", "mul"])
        z = b.emit(f"heddle.{op} {x[0]}, {y[0]} : {kind(x[1])}", x[1])
        if op == "mul":
            b.emit(f"heddle.tanh {z[0]} : {kind(x[1])}", x[1])

    def select(self, b):
        x = b.pick()
        y = b.pick(lambda v: v[1] == x[1])
        c = b.emit(f"heddle.compare lt {x[0]}, {y[0]} : {kind(x[1])}", x[1], "i1")
        b.emit(f"heddle.select {c[0]}, {y[0]}, {x[0]} : {kind(x[1], 'i1')}, {kind(x[1])}", x[1])

    def broadcast(self, b):
        x = b.pick(lambda v: len(v[1]) < 4)
        shape, axes = list(x[1]), []
        for _ in range(self.random.randint(1, 2)):
            shape.insert(self.random.randint(0, len(shape)), -self.random.choice(EXTENTS))
        axes = [i for i, n in enumerate(shape) if n > 0]
        shape = [abs(n) for n in shape]
        if math.prod(shape) <= 4096:
            b.emit(f"heddle.broadcast {x[0]} axes {axes} : {kind(x[1])} -> {kind(shape)}", shape)

    def rejoin(self, b):
        """A reduction spread again over what it reduced, combined with the operand: the shape of norms and softmaxes."""
        x = b.pick(lambda v: v[1])
        axes = sorted(self.random.sample(range(len(x[1])), self.random.randint(1, len(x[1]))))
        if self.random.random() < 0.6:
            axes = list(range(self.random.randrange(len(x[1])), len(x[1])))
        rest = [n for i, n in enumerate(x[1]) if i not in axes]
        keep = [i for i in range(len(x[1])) if i not in axes]
        op = self.random.choice(["sum", "max", "min"])
        r = b.emit(f"heddle.reduce {op} {x[0]} axes {axes} : {kind(x[1])} -> {kind(rest)}", rest)
        t = b.emit(f"heddle.tanh {r[0]} : {kind(rest)}", rest)
        s = b.emit(f"heddle.broadcast {t[0]} axes {keep} : {kind(rest)} -> {kind(x[1])}", x[1])
        b.emit(f"heddle.sub {x[0]}, {s[0]} : {kind(x[1])}", x[1])

    def reduce(self, b):
        x = b.pick(lambda v: v[1])
        axes = sorted(self.random.sample(range(len(x[1])), self.random.randint(1, len(x[1]))))
        rest = [n for i, n in enumerate(x[1]) if i not in axes]
        r = b.emit(f"heddle.reduce {self.random.choice(['sum', 'max', 'min'])} {x[0]} axes {axes} : {kind(x[1])} -> {kind(rest)}", rest)
        b.emit(f"heddle.tanh {r[0]} : {kind(rest)}", rest)

    def arg_reduce(self, b):
        x = b.pick(lambda v: v[1])
        axis = self.random.randrange(len(x[1]))
        rest = [n for i, n in enumerate(x[1]) if i != axis]
        i = b.emit(f"heddle.arg_reduce argmax {x[0]} axis {axis} : {kind(x[1])} -> {kind(rest, 'i32')}", rest, "i32")
        b.emit(f"heddle.cast {i[0]} : {kind(rest, 'i32')} -> {kind(rest)}", rest)

    def transpose(self, b):
        x = b.pick(lambda v: len(v[1]) > 1)
        if x:
            order = list(range(len(x[1])))
            self.random.shuffle(order)
            shape = [x[1][d] for d in order]
            b.emit(f"heddle.transpose {x[0]} permutation {order} : {kind(x[1])} -> {kind(shape)}", shape)

    def reshape(self, b):
        x = b.pick()
        count, shape = math.prod(x[1]), []
        while count > 1 and len(shape) < 4:
            divisors = [d for d in range(1, count + 1) if count % d == 0]
            n = self.random.choice(divisors)
            shape.append(n)
            count //= n
        shape.append(count)
        b.emit(f"heddle.reshape {x[0]} : {kind(x[1])} -> {kind(shape)}", shape)

    def slice(self, b):
        x = b.pick(lambda v: v[1])
        starts, sizes, strides = [], [], []
        for n in x[1]:
            starts.append(self.random.randrange(n))
            strides.append(self.random.choice([1, 1, 2]))
            sizes.append(self.random.randint(1, (n - 1 - starts[-1]) // strides[-1] + 1))
        b.emit(f"heddle.slice {x[0]} starts {starts} sizes {sizes} strides {strides} : {kind(x[1])} -> {kind(sizes)}", sizes)

    def pad(self, b):
        x, v = b.pick(lambda v: v[1] and math.prod(v[1]) <= 512), b.pick(lambda v: not v[1])
        if x and v:
            low, high, gap = ([self.random.choice([0, 0, 1, 3]) for _ in x[1]] for _ in range(3))
            shape = [l + n + (n - 1) * g + h for l, n, g, h in zip(low, x[1], gap, high)]
            if math.prod(shape) <= 4096:
                b.emit(f"heddle.pad {x[0]}, {v[0]} low {low} high {high} interior {gap} : {kind(x[1])}, {kind(())} -> {kind(shape)}", shape)

    def concat(self, b):
        x = b.pick(lambda v: v[1] and math.prod(v[1]) <= 1024)
        if x:
            axis = self.random.randrange(len(x[1]))
            y = b.pick(lambda v: len(v[1]) == len(x[1]) and all(i == axis or a == c for i, (a, c) in enumerate(zip(v[1], x[1]))))
            parts = [x, y] + ([x] if self.random.random() < 0.3 else [])
            shape = list(x[1])
            shape[axis] = sum(p[1][axis] for p in parts)
            b.emit(f"heddle.concat {', '.join(p[0] for p in parts)} axis {axis} : ({', '.join(kind(p[1]) for p in parts)}) -> {kind(shape)}", shape)

    def reverse(self, b):
        x = b.pick(lambda v: v[1])
        b.emit(f"heddle.reverse {x[0]} axes [{self.random.randrange(len(x[1]))}] : {kind(x[1])}", x[1])

    def gather(self, b):
        x = b.pick(lambda v: v[1])
        axis = self.random.randrange(len(x[1]))
        n = x[1][axis]
        size = self.random.randint(1, n)
        ids = b.emit(f"heddle.iota axis 0 : {kind([size], 'i32')}", [size], "i32")
        if self.random.random() < 0.5:
            ids = b.emit(f"heddle.reverse {ids[0]} axes [0] : {kind([size], 'i32')}", [size], "i32")
        shape = list(x[1])
        shape[axis] = size
        b.emit(f"heddle.gather {x[0]}[{ids[0]}] axis {axis} : {kind(x[1])}, {kind([size], 'i32')} -> {kind(shape)}", shape)

    def cumsum(self, b):
        x = b.pick(lambda v: v[1])
        y = b.emit(f"heddle.cumsum {x[0]} axis {self.random.randrange(len(x[1]))} : {kind(x[1])}", x[1])
        b.emit(f"heddle.tanh {y[0]} : {kind(x[1])}", x[1])

    def constant(self, b):
        shape = [self.random.choice(EXTENTS) for _ in range(self.random.randint(0, 2))]
        b.emit(f"heddle.constant dense<{self.random.choice(['0.5', '1.0', '-0.25'])}> : {kind(shape)}", shape)

    def einsum(self, b):
        x = b.pick(lambda v: 0 < len(v[1]) < 4)
        if not x:
            return
        left = "abcd"[: len(x[1])]
        y = b.pick(lambda v: 0 < len(v[1]) < 4)
        right = ""
        for n in y[1]:
            same = [l for l, m in zip(left, x[1]) if m == n and l not in right]
            right += self.random.choice(same) if same and self.random.random() < 0.8 else "pqrs"[len(right)]
        letters = dict(zip(left, x[1])) | dict(zip(right, y[1]))
        out = [l for l in letters if self.random.random() < 0.6]
        self.random.shuffle(out)
        shape = [letters[l] for l in out]
        if math.prod(shape) <= 4096 and math.prod(letters.values()) <= 65536:
            z = b.emit(f'heddle.einsum "{left},{right}->{"".join(out)}" {x[0]}, {y[0]} : ({kind(x[1])}, {kind(y[1])}) -> {kind(shape)}', shape)
            b.emit(f"heddle.tanh {z[0]} : {kind(shape)}", shape)

    def loop(self, b):
        if b.depth > 2:
            return
        count = self.random.choice([1, 2, 3])
        carries = [b.pick() for _ in range(self.random.randint(1, 2))]
        scanned = [v for v in [b.pick(lambda v: v[1] and v[1][0] == count)] if v]
        names = [self.fresh() for _ in range(1 + len(scanned) + len(carries))]
        arguments = [(names[0], (), "i32")] + [(n, v[1][1:], "f32") for n, v in zip(names[1:], scanned)]
        arguments += [(n, v[1], "f32") for n, v in zip(names[1 + len(scanned) :], carries)]
        inner = Block(self, b.values + arguments[1:], b.depth + 1)
        inner.emit(f"heddle.cast {names[0]} : tensor<i32> -> tensor<f32>", ())
        for _ in range(self.random.randint(1, 6)):
            self.step(inner)
        yields = [inner.pick(lambda v: v[1] == c[1]) for c in carries]
        collected = [inner.pick(lambda v: math.prod(v[1]) <= 1024) for _ in range(self.random.randint(0, 2))]
        collected = [c for c in collected if c]
        results = [c[1] for c in carries] + [(count,) + c[1] for c in collected]
        name = self.fresh()
        reverse = " reverse" if self.random.random() < 0.3 else ""
        operands = scanned + carries
        b.lines.append(
            f"{'  ' * b.depth}{name}:{len(results)} = heddle.for {count}{reverse} scan({', '.join(v[0] for v in scanned)}) "
            f"init({', '.join(v[0] for v in carries)}) : ({', '.join(kind(v[1]) for v in operands)}) -> ({', '.join(map(kind, results))}) {{")
        b.lines.append("  " * b.depth + "^bb0(" + ", ".join(f"{n}: {kind(s, e)}" for n, s, e in arguments) + "):")
        b.lines += inner.lines
        values = yields + collected
        b.lines.append("  " * (b.depth + 1) + f"heddle.yield {', '.join(v[0] for v in values)} : {', '.join(kind(v[1]) for v in values)}")
        b.lines.append("  " * b.depth + "}")
        b.values += [(f"{name}#{i}", tuple(s), "f32") for i, s in enumerate(results)]

    def step(self, b):
        rules = [self.unary] * 4 + [self.binary] * 5 + [self.rejoin] * 3 + [
            self.select, self.broadcast, self.broadcast, self.reduce, self.arg_reduce, self.transpose, self.transpose,
            self.reshape, self.reshape, self.slice, self.pad, self.concat, self.reverse, self.gather, self.cumsum,
            self.constant, self.einsum, self.loop]
        self.random.choice(rules)(b)

    def function(self, name):
        arguments = []
        for i in range(self.random.randint(2, 4)):
            shape = [self.random.choice(EXTENTS) for _ in range(self.random.randint(0, 3))]
            arguments.append((f"%a{i}", tuple(shape), "f32"))
        arguments += [("%s", (), "f32"), ("%m", (5, 8), "f32")]
        block = Block(self, arguments, 1)
        for _ in range(self.random.randint(5, 40)):
            self.step(block)
        results = [block.pick() for _ in range(self.random.randint(1, 4))]
        return "\n".join(
            [f"func.func @{name}({', '.join(f'{n}: {kind(s)}' for n, s, e in arguments)}) -> ({', '.join(kind(r[1]) for r in results)}) {{"]
            + block.lines + [f"  return {', '.join(r[0] for r in results)} : {', '.join(kind(r[1]) for r in results)}", "}", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compare", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--functions", type=int, default=4)
    parser.add_argument("--element", default="f32", help="element type of the tensors: f32 or f64")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="heddle-fuzz-"))
    failed = 0
    for seed in range(options.seed, options.seed + options.count):
        writer = Writer(seed)
        file = folder / f"seed{seed}.mlir"
        text = "\n".join(writer.function(f"f{i}") for i in range(options.functions))
        file.write_text(text.replace("f32", options.element))
        # Sums in another order may fall on the other side of a comparison or a step: those differences are few and
        # are looked at by hand; everything else is a defect.
        run = subprocess.run([options.compare, "--tolerance=1e-3", str(file)], capture_output=True, text=True, timeout=600)
        if run.returncode:
            failed += 1
            print(f"{file}:\n{run.stdout[-600:]}{run.stderr[-1500:]}")
        else:
            file.unlink()
    print(f"{options.count - failed} of {options.count} files agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
