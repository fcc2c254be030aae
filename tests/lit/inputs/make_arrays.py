"""Writes good, truncated and hostile array files into a folder."""

import json
import pathlib
import struct
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
np.save(folder / "f64.npy", np.arange(3, dtype=np.float64))
np.save(folder / "whole.npy", np.arange(64, dtype=np.float32))
whole = (folder / "whole.npy").read_bytes()
(folder / "truncated.npy").write_bytes(whole[:-5])
# A shape whose size overflows 64 bits.
header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 16), }"
header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
(folder / "hostile.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64)


def safetensors(name, tensors, data):
    text = json.dumps(tensors).encode()
    (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + data)


safetensors("half.safetensors", {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}, b"\0" * 12)
safetensors("hostile.safetensors", {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 1 << 60]}}, b"\0" * 12)
