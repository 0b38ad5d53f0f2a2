#!/usr/bin/env python3
"""Makes tests/data/files/: what NumPy and the compressors of Python write, for the readers' tests.

usage: tests/data/make_files.py   (needs numpy; the files in the repository are of NumPy 2.4.6)
"""
import bz2
import gzip
import io
import pathlib
import struct
import zlib

import numpy as np

FILES = pathlib.Path(__file__).parent / "files"
FILES.mkdir(exist_ok=True)


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def write(name, content):
    (FILES / name).write_bytes(content)


# Every element type in both byte orders: 0 1 2 / 3 4 and 200 (unsigned), -100 (signed), -100.5.
for kind, sizes in {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8)}.items():
    for size in sizes:
        for order, name in (("<", "le"), (">", "be")):
            last = {"f": -100.5, "i": -100, "u": 200}[kind]
            values = np.array([[0, 1, 2], [3, 4, last]])
            write(f"{kind}{size}{name}.npy", npy(values.astype(f"{order}{kind}{size}")))
write("b1.npy", npy(np.array([[True, False], [False, True]])))

cube = np.arange(24, dtype="<f4").reshape(2, 3, 4)
write("cube_c.npy", npy(cube))
write("cube_fortran.npy", npy(np.asfortranarray(cube)))
write("matrix_fortran.npy", npy(np.asfortranarray(np.arange(6.0).reshape(2, 3))))
write("version2.npy", npy(np.arange(6.0).reshape(2, 3), version=(2, 0)))
write("version3.npy", npy(np.arange(6.0).reshape(2, 3), version=(3, 0)))
write("texts.npy", npy(np.array(["virginica", "sétosa", "virginica"])))
write("bytes.npy", npy(np.array([b"no", b"yes", b"no"])))
write("target.npy", npy(np.array([7, 8], dtype="<i8")))
write("matrix.npy.gz", gzip.compress(npy(np.arange(6.0).reshape(2, 3)), mtime=0))

x = np.arange(6.0).reshape(3, 2)
np.savez(FILES / "stored.npz", x=x, y=np.array([0, 1, 1]))
np.savez_compressed(FILES / "deflated.npz", X=x.astype("f4"), y=np.array(["b", "a", "b"]))
np.savez(FILES / "other_names.npz", first=x, second=x)
# As scipy.sparse.save_npz() writes it.
np.savez(FILES / "sparse.npz", indices=np.array([0, 1, 0], "i4"), indptr=np.array([0, 1, 2, 3], "i4"),
         format=np.array(b"csr"), shape=np.array([3, 2]), data=np.array([1.0, 2.0, 3.0]))


def zip64(members):
    """A zip file whose directory has all its sizes and offsets in 64-bit fields."""
    out, directory = b"", b""
    for name, content in members:
        crc, offset, size = zlib.crc32(content), len(out), len(content)
        label = name.encode()
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, crc, size, size, len(label), 0)
        out += label + content
        extra = struct.pack("<2H3Q", 1, 24, size, size, offset)
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 0, 0, 0, crc, 0xFFFFFFFF,
                                 0xFFFFFFFF, len(label), len(extra), 0, 0, 0, 0, 0xFFFFFFFF)
        directory += label + extra
    start = len(out)
    end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(members), len(members),
                      len(directory), start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, start + len(directory), 1)
    last = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return out + directory + end + locator + last


write("zip64.npz", zip64([("x.npy", npy(x)), ("y.npy", npy(np.array([4.0, 5.0, 6.0])))]))
assert np.array_equal(np.load(FILES / "zip64.npz")["x"], x)

libsvm = b"+1 1:0.5 3:1e-2 # a comment\n-1 2:-1\n\n0.5\n"
write("rows.libsvm", libsvm)
write("rows.libsvm.gz", gzip.compress(libsvm, mtime=0))
write("rows.libsvm.bz2", bz2.compress(libsvm))
write("two_members.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0) + gzip.compress(b"3,4\n", mtime=0))
write("two_streams.csv.bz2", bz2.compress(b"a,b\n1,2\n") + bz2.compress(b"3,4\n"))


def idx(kind, array):
    lengths = b"".join(struct.pack(">I", length) for length in array.shape)
    return bytes([0, 0, kind, array.ndim]) + lengths + array.tobytes()


write("tiny-images-idx3-ubyte", idx(8, np.arange(250, 258).astype("u1").reshape(2, 2, 2)))
write("tiny-labels-idx1-ubyte", idx(8, np.array([3, 9], dtype="u1")))
write("packed-images-idx3-ubyte.gz", gzip.compress(idx(8, np.arange(8, dtype="u1").reshape(2, 2, 2)), mtime=0))
write("packed-labels-idx1-ubyte.gz", gzip.compress(idx(8, np.array([1, 0], dtype="u1")), mtime=0))
for kind, name in ((9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")):
    write(f"type{kind}.idx", idx(kind, np.array([[1, -2], [3, 100]], dtype=name)))
