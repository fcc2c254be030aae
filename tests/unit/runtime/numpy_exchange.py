# Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
"""Exchanges .npy files with NumPy through the C interface: numpy_exchange.py LIBRARY. Exits with 77 to skip."""
import ctypes
import os
import sys
import tempfile

try:
    import numpy
except ImportError:
    print("[SKIP] NumPy is not installed (Debian: python3-numpy)")
    sys.exit(77)


class Tensor(ctypes.Structure):
    """DLTensor, with the device and the type as plain fields."""

    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int), ("device_id", ctypes.c_int),
                ("ndim", ctypes.c_int), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


library = ctypes.CDLL(sys.argv[1])
library.heddle_last_error.restype = ctypes.c_char_p
codes = {"i": 0, "f": 2, "b": 6}
names = {(code, kind) for kind, code in codes.items()}


def view(array):
    """A DLTensor of a NumPy array of any strides."""
    extents = (ctypes.c_int64 * array.ndim)(*array.shape)
    strides = (ctypes.c_int64 * array.ndim)(*(s // array.itemsize for s in array.strides))
    return Tensor(array.ctypes.data, 1, 0, array.ndim, codes[array.dtype.kind], array.itemsize * 8, 1, extents, strides,
                  0)


def load(path):
    """The array that the runtime reads, as a copy."""
    out = ctypes.POINTER(Tensor)()
    assert library.heddle_npy_load(path.encode(), ctypes.byref(out)) == 0, library.heddle_last_error().decode()
    tensor = out.contents
    kind = dict(names)[tensor.code]
    dtype = numpy.dtype("bool" if kind == "b" else f"{kind}{tensor.bits // 8}")
    shape = tuple(tensor.shape[:tensor.ndim])
    size = int(numpy.prod(shape, dtype=numpy.int64)) * dtype.itemsize
    array = numpy.frombuffer(ctypes.string_at(tensor.data, size), dtype).reshape(shape)
    library.heddle_tensor_release(out)
    return array


random = numpy.random.default_rng(3)
checked = 0
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "a.npy")
    for dtype in ["<f8", ">f8", "<f4", ">f4", "<f2", ">f2", "<i8", ">i8", "<i4", ">i4", "i1", "?"]:
        for shape in [(), (1,), (7,), (3, 4), (2, 3, 5), (0, 3), (2, 1, 3, 1, 2)]:
            array = numpy.asarray(random.integers(-100, 100, shape)).astype(dtype)
            if array.dtype.kind == "b":
                array = numpy.asarray(random.integers(0, 2, shape)).astype(dtype)
            # Copies keep rank 0, which numpy.asfortranarray would raise to 1.
            for order in [array, array.copy(order="F"), array.T.copy(order="C").T]:
                numpy.save(path, order)
                loaded = load(path)
                assert loaded.shape == array.shape and numpy.array_equal(loaded, array), (dtype, shape)
                assert loaded.dtype == array.dtype.newbyteorder("="), (dtype, loaded.dtype)
                native = order.astype(array.dtype.newbyteorder("="), order="K")
                status = library.heddle_npy_save(path.encode(), ctypes.byref(view(native)))
                assert status == 0, library.heddle_last_error().decode()
                back = numpy.load(path, allow_pickle=False)
                assert back.dtype == native.dtype and numpy.array_equal(back, array), (dtype, shape)
                checked += 1
    for version in [(1, 0), (2, 0), (3, 0)]:
        with open(path, "wb") as file:
            numpy.lib.format.write_array(file, numpy.arange(6, dtype="f4"), version)
        assert numpy.array_equal(load(path), numpy.arange(6)), version
        checked += 1
print(f"{checked} arrays agree")
