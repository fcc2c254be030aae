"""Prints the size of a PNG of 8-bit RGB, and the pixels at the given places: read_png.py FILE X,Y…"""

import struct
import sys
import zlib

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
at, chunks = 8, []
while at < len(data):
    length, kind = struct.unpack(">I4s", data[at : at + 8])
    body = data[at + 8 : at + 8 + length]
    assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body), kind
    chunks.append((kind, body))
    at += 12 + length
assert chunks[0][0] == b"IHDR" and chunks[-1] == (b"IEND", b"")
width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
assert (depth, colours, interlaced) == (8, 2, 0), (depth, colours, interlaced)
raw = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
stride = 3 * width
assert len(raw) == height * (stride + 1)
rows = []
for y in range(height):
    kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
    above = rows[-1] if rows else bytes(stride)
    for i in range(stride):
        a, b, c = line[i - 3] if i >= 3 else 0, above[i], above[i - 3] if i >= 3 else 0
        p = a + b - c
        nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        line[i] = (line[i] + [0, a, b, (a + b) // 2, nearest][kind]) % 256
    rows.append(bytes(line))
print(f"{width} x {height}")
for place in sys.argv[2:]:
    x, y = map(int, place.split(","))
    print(f"{place} #{rows[y][3 * x : 3 * x + 3].hex()}")
