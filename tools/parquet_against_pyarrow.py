#!/usr/bin/env python3
"""Reads Parquet and Arrow files with Tandem and with pyarrow and compares every value.

Files of all types, encodings, compressions and page versions that pyarrow, fastparquet, polars and
DuckDB write are generated in a temporary folder; those of the writers that are not installed are
left out, and said. Tandem's values come from a program of a few lines that is compiled against
libtandem. Dates become seconds since 1970, decimals the nearest double, as docs/data-formats.md has
it. Ends with status 1 where a value differs.

usage: tools/parquet_against_pyarrow.py [--build build/release] [--keep FOLDER]

Needs numpy, pandas and pyarrow.
"""

import argparse
import datetime
import decimal
import importlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

PRINTER = r"""
#include <cstdio>
#include <exception>
#include "tandem/data/read.hpp"

int main(int, char** arguments) {
  try {
    tandem::ReadOptions options;
    options.threads = std::atoi(arguments[2]);
    const auto data = tandem::read_dataset<double>(arguments[1], options);
    for (tandem::Index j = 0; j < data.cols(); ++j) {
      const auto& column = data.columns[static_cast<std::size_t>(j)];
      std::printf("#%s\n", column.name.c_str());
      for (tandem::Index i = 0; i < data.rows(); ++i) {
        const double value = data.features(i, j);
        if (value != value) std::puts("null");
        else if (column.categorical())
          std::printf("'%s\n", column.categories[static_cast<std::size_t>(value)].c_str());
        else std::printf("%.17g\n", value);
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
"""

ROWS = 3000
WORDS = ["alpha", "beta", "gamma", "Ünïcode", "a longer text than twelve bytes", "x y"]


def columns(rows=ROWS, nulls=0.1, seed=1):
    """A table of every type that is read, a part of its values missing."""
    draw = random.Random(seed)

    def some(make):
        return [None if draw.random() < nulls else make(i) for i in range(rows)]

    def whole(bits, signed):
        low = -(1 << (bits - 1)) if signed else 0
        high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
        low, high = max(low, -(1 << 53)), min(high, 1 << 53)
        return lambda i: draw.randint(low, high)

    result = {}
    for bits in (8, 16, 32, 64):
        result[f"int{bits}"] = pa.array(some(whole(bits, True)), f"int{bits}")
        result[f"uint{bits}"] = pa.array(some(whole(bits, False)), f"uint{bits}")
    result["small"] = pa.array(some(lambda i: i // 7), "int64")
    result["huge"] = pa.array(some(lambda i: draw.randint(-2**63, 2**63 - 1)), "int64")
    result["float"] = pa.array(some(lambda i: float(np.float32(draw.gauss(0, 1e3)))), "float32")
    result["double"] = pa.array(some(lambda i: draw.gauss(0, 1e9)), "float64")
    result["half"] = pa.array([None if v is None else np.float16(v)
                               for v in some(lambda i: draw.gauss(0, 10))], "float16")
    result["bool"] = pa.array(some(lambda i: draw.random() < 0.3), "bool")
    result["runs"] = pa.array(some(lambda i: i // 500 % 2 == 0), "bool")
    for precision, scale in ((7, 2), (16, 4), (30, 10), (38, 0)):
        digits = min(precision, 28)
        result[f"decimal{precision}"] = pa.array(
            some(lambda i, d=digits, s=scale: decimal.Decimal(draw.randint(-10**d, 10**d) // 10)
                 .scaleb(-s)), pa.decimal128(precision, scale))
    result["date"] = pa.array(some(lambda i: datetime.date(1900, 1, 1)
                                   + datetime.timedelta(draw.randint(0, 80000))), "date32")
    for unit in ("ms", "us", "ns"):
        scale = {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        result[f"stamp_{unit}"] = pa.array(
            some(lambda i, s=scale: draw.randint(-10**9 * s, 2 * 10**9 * s)),
            pa.timestamp(unit))
        day = 86400 * scale
        result[f"time_{unit}"] = pa.array(some(lambda i, d=day: draw.randint(0, d - 1)),
                                          pa.time32(unit) if unit == "ms" else pa.time64(unit))
    result["zoned"] = pa.array(some(lambda i: draw.randint(0, 2 * 10**15)),
                               pa.timestamp("us", tz="Europe/Berlin"))
    result["text"] = pa.array(some(lambda i: draw.choice(WORDS)), "string")
    result["ids"] = pa.array(some(lambda i: f"id-{i:06d}-{draw.randint(0, 9)}"), "string")
    result["prefixes"] = pa.array(some(lambda i: "a common beginning of " + "x" * (i % 40)), "string")
    result["category"] = result["text"].dictionary_encode()
    result["fixed"] = pa.array(some(lambda i: draw.choice([b"abcd", b"wxyz"])), pa.binary(4))
    result["nothing"] = pa.nulls(rows)
    return pa.table(result)


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def seconds(count, unit):
    whole, rest = divmod(abs(count), UNITS[unit])
    return (float(whole) + rest / UNITS[unit]) * (-1 if count < 0 else 1)


def expected(column):
    """What Tandem's double of each value should be, or its text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_date(kind):
        days = column.cast(pa.date32()).cast(pa.int32()).to_pylist()
        return [None if v is None else 86400.0 * v for v in days]
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return [None if v is None else seconds(v, kind.unit)
                for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_time(kind):
        wide = pa.int64() if pa.types.is_time64(kind) else pa.int32()
        return [None if v is None else seconds(v, kind.unit)
                for v in column.cast(wide).to_pylist()]
    values = column.to_pylist()
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16:
        return [None if v is None else str(uuid.UUID(bytes=v)) for v in values]
    if values and any(isinstance(v, uuid.UUID) for v in values):
        return [None if v is None else str(v) for v in values]
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return [None if v is None else v.decode() for v in values]
    if (pa.types.is_string(kind) or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)):
        return [v if v != "" else None for v in values]
    return [None if v is None or v != v else float(v) for v in values]


def same(wanted, got):
    if wanted is None or got == "null":
        return wanted is None and got == "null"
    if isinstance(wanted, str):
        return got == "'" + wanted
    return not got.startswith("'") and float(got) == wanted


def tandem_columns(printer, path, threads):
    done = subprocess.run([printer, path, str(threads)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    result = {}
    for line in done.stdout.splitlines():
        if line.startswith("#"):
            values = result.setdefault(line[1:], [])
        else:
            values.append(line)
    return result


def compare(printer, path, table):
    values = 0
    for threads in (1, 3):
        try:
            got = tandem_columns(printer, path, threads)
        except RuntimeError as error:
            return f"refused: {error}", 0
        names = [name for name in table.column_names if not name.startswith("__index")]
        if list(got) != names:
            return f"columns {list(got)}, expected {names}", 0
        for name in names:
            wanted = expected(table.column(name).combine_chunks())
            if len(wanted) != len(got[name]):
                return f"{name}: {len(got[name])} values, expected {len(wanted)}", 0
            for row, (a, b) in enumerate(zip(wanted, got[name])):
                if not same(a, b):
                    return f"{name}, row {row}: {b}, expected {a!r}", 0
            values += len(wanted)
    return None, values


def write_pyarrow(folder):
    table = columns()
    flat = table.drop_columns(["nothing"])
    dense = columns(nulls=0)
    required = dense.cast(pa.schema([pa.field(f.name, f.type, nullable=f.type == pa.null())
                                     for f in dense.schema]))
    for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
        for version in ("1.0", "2.0"):
            yield (folder / f"pyarrow-{codec}-{version}.parquet", table,
                   dict(compression=codec, data_page_version=version))
    yield folder / "plain.parquet", table, dict(use_dictionary=False)
    yield folder / "plain-v2.parquet", required, dict(use_dictionary=False, data_page_version="2.0")
    yield folder / "required.parquet", required, {}
    yield folder / "groups.parquet", table, dict(row_group_size=77)
    yield folder / "pages.parquet", table, dict(data_page_size=200, write_batch_size=10)
    yield folder / "pages-v2.parquet", flat, dict(data_page_size=200, write_batch_size=10,
                                                  data_page_version="2.0")
    yield folder / "checksums.parquet", table, dict(write_page_checksum=True)
    yield folder / "checksums-v2.parquet", table, dict(write_page_checksum=True,
                                                       data_page_version="2.0")
    yield folder / "small-dictionary.parquet", table, dict(dictionary_pagesize_limit=500,
                                                           data_page_size=400, write_batch_size=8)
    yield folder / "int96.parquet", table, dict(use_deprecated_int96_timestamps=True)
    yield folder / "decimals-as-integers.parquet", table, dict(store_decimal_as_integer=True)
    yield folder / "version1.parquet", flat.drop_columns(["uint32", "stamp_ns", "time_ns"]), dict(version="1.0")
    yield folder / "no-statistics.parquet", table, dict(write_statistics=False)
    yield folder / "all-missing.parquet", columns(nulls=1.0), {}
    yield folder / "one-row.parquet", columns(rows=1, nulls=0), {}
    by_name = lambda wanted: {n: wanted(n) for n in flat.column_names if wanted(n)}
    numbers = [n for n in flat.column_names if "int" in n or n in ("small", "huge", "date")
               or n.startswith(("stamp", "zoned", "time"))]
    texts = ["text", "ids", "prefixes"]
    encodings = {
        "delta": by_name(lambda n: "DELTA_BINARY_PACKED" if n in numbers else
                         "DELTA_BYTE_ARRAY" if n in texts + ["fixed", "half"] else
                         "RLE" if n in ("bool", "runs") else None),
        "delta-length": by_name(lambda n: "DELTA_LENGTH_BYTE_ARRAY" if n in texts else None),
        "split": by_name(lambda n: "BYTE_STREAM_SPLIT" if n in numbers + ["float", "double", "fixed",
                         "half", "decimal7", "decimal16", "decimal30", "decimal38"] else None),
    }
    for name, chosen in encodings.items():
        for version in ("1.0", "2.0"):
            yield (folder / f"{name}-{version}.parquet", flat,
                   dict(use_dictionary=False, column_encoding=chosen, data_page_version=version))
    yield (folder / "delta-small-pages.parquet", flat,
           dict(use_dictionary=False, column_encoding=encodings["delta"], data_page_size=300,
                write_batch_size=33))


def write_all(folder):
    """(path, pyarrow's table) of each file."""
    for path, table, options in write_pyarrow(folder):
        pq.write_table(table, path, **options)
        yield path, pq.read_table(path)
    frame = pd.DataFrame({"x": [1.5, None, 3], "word": ["one", "two", None], "n": [1, 2, 3],
                          "when": pd.to_datetime(["2024-01-31 12:30", None, "2030-01-01 00:00"])},
                         index=["a", "b", "c"])
    frame.to_parquet(folder / "pandas.parquet")
    yield folder / "pandas.parquet", pq.read_table(folder / "pandas.parquet")
    yield from write_others(folder)
    yield from write_arrow(folder)


def write_others(folder):
    def available(name):
        try:
            return importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed; its files are left out")
            return None

    frame = columns().select(["int8", "int32", "int64", "uint16", "float", "double", "bool", "date",
                              "stamp_us", "text", "ids"])
    if fastparquet := available("fastparquet"):
        for codec in (None, "SNAPPY", "GZIP", "ZSTD"):
            path = folder / f"fastparquet-{codec}.parquet"
            fastparquet.write(str(path), frame.drop_columns(["date"]).to_pandas(),
                              compression=codec, write_index=False)
            yield path, pq.read_table(path)
    if polars := available("polars"):
        for codec in ("uncompressed", "snappy", "gzip", "zstd", "lz4"):
            path = folder / f"polars-{codec}.parquet"
            polars.from_arrow(frame).write_parquet(path, compression=codec, row_group_size=1000)
            yield path, pq.read_table(path)
        path = folder / "polars.arrow"
        polars.from_arrow(frame).write_ipc(path)
        yield path, feather.read_table(path)
        path = folder / "polars-zstd.arrow"
        polars.from_arrow(frame).write_ipc(path, compression="zstd", compat_level=polars.CompatLevel.oldest())
        yield path, feather.read_table(path)
    if duckdb := available("duckdb"):
        source = frame  # noqa: F841, named in the query
        for codec in ("uncompressed", "snappy", "gzip", "zstd", "lz4_raw"):
            for version in ("v1", "v2"):
                path = folder / f"duckdb-{codec}-{version}.parquet"
                duckdb.sql("select *, uuid() as id, 12.34::decimal(5,2) as price, "
                           "1e20::hugeint::double as big from source").write_parquet(str(path), compression=codec) \
                    if version == "v1" else duckdb.sql(
                        f"copy (select *, 123456789.5::decimal(30,3) as wide from source) to '{path}' "
                        f"(format parquet, compression {codec}, parquet_version v2)")
                # DuckDB's own reading: pyarrow refuses some of its pages of delta encodings.
                yield path, duckdb.sql(f"select * from '{path}'").to_arrow_table()


def write_arrow(folder):
    table = columns().append_column("large", columns()["text"].cast(pa.large_string())) \
        .append_column("view", columns()["text"].cast(pa.string_view())) \
        .append_column("length", pa.array(range(ROWS), pa.duration("ms"))) \
        .append_column("decimal256", columns()["decimal30"].cast(pa.decimal256(50, 12)))
    for codec in (None, "lz4", "zstd"):
        for batch in (None, 100):
            for kind, new in (("file", ipc.new_file), ("stream", ipc.new_stream)):
                path = folder / f"{kind}-{codec}-{batch}.arrow"
                with new(path, table.schema,
                         options=ipc.IpcWriteOptions(compression=codec)) as out:
                    out.write_table(table, max_chunksize=batch)
                yield path, table
    for codec in ("uncompressed", "lz4", "zstd"):
        path = folder / f"feather-{codec}.feather"
        feather.write_feather(table, path, compression=codec, chunksize=999)
        yield path, table
    # Dictionaries that grow, and that are replaced.
    for name, words in (("delta", [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]),
                        ("replaced", [["a", "b"], ["x", "y", "z"], ["q"]])):
        path = folder / f"dictionary-{name}.arrow"
        batches = [pa.record_batch({"k": pa.DictionaryArray.from_arrays(
            pa.array([i % len(w) for i in range(50)], "int8"), w)}) for w in words]
        with ipc.new_stream(path, batches[0].schema, options=ipc.IpcWriteOptions(
                emit_dictionary_deltas=name == "delta")) as out:
            for batch in batches:
                out.write_batch(batch)
        yield path, pa.table({"k": pa.concat_arrays([b.column(0).cast("string") for b in batches])})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder where the files stay")
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or pathlib.Path(scratch)
        folder.mkdir(exist_ok=True, parents=True)
        source = pathlib.Path(scratch) / "print.cpp"
        source.write_text(PRINTER)
        printer = pathlib.Path(scratch) / "print"
        build = options.build.resolve()
        subprocess.run(["c++", "-std=c++20", "-O1", f"-I{root}/include", f"-I{build}/generated",
                        source, f"-L{build}", "-ltandem", f"-Wl,-rpath,{build}", "-o", printer],
                       check=True)
        files = values = wrong = 0
        for path, table in write_all(folder):
            mistake, count = compare(printer, path, table)
            files += 1
            values += count
            if mistake:
                wrong += 1
                print(f"{path.name}: {mistake}")
        print(f"{files} files, {values} values compared, {wrong} files differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
