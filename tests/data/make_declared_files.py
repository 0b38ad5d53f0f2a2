#!/usr/bin/env python3
"""Makes the Parquet and Arrow files of tests/data/files/: what other programs write, for the readers.

usage: tests/data/make_declared_files.py

Needs pyarrow, polars, duckdb and fastparquet; the files in the repository are of pyarrow 26.0.1,
polars 2.1.0, duckdb 2.0.1 and fastparquet 2026.9.0. tools/parquet_against_pyarrow.py compares many
more with pyarrow's own reading.
"""
import datetime
import decimal
import pathlib

import duckdb
import fastparquet
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

FILES = pathlib.Path(__file__).parent / "files"

types = pa.table({
    "i64": pa.array([1, None, -3, 4], "int64"),
    "u8": pa.array([0, 255, None, 7], "uint8"),
    "u64": pa.array([2**63, 1, 2, None], "uint64"),
    "f16": pa.array([np.float16(0.5), None, np.float16(-2), np.float16(65504)], "float16"),
    "f32": pa.array([0.25, -1.5, None, float("nan")], "float32"),
    "f64": pa.array([None, 0.1, 1e300, -0.0], "float64"),
    "flag": pa.array([True, False, None, True]),
    "price": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-0.50"), None,
                       decimal.Decimal("99999.99")], pa.decimal128(7, 2)),
    "wide": pa.array([decimal.Decimal("12345678901234567890.125"), None, decimal.Decimal("-0.5"),
                      decimal.Decimal("0")], pa.decimal128(30, 3)),
    "day": pa.array([datetime.date(2024, 1, 31), None, datetime.date(1969, 12, 31),
                     datetime.date(1970, 1, 1)]),
    "stamp": pa.array([1706704205123456, None, -1, 0], pa.timestamp("us")),
    "clock": pa.array([45005000, None, 0, 1], pa.time32("ms")),
    "word": pa.array(["pear", "apple", None, "pear"]),
    "coded": pa.array(["x", None, "y", "x"]).dictionary_encode(),
    "none": pa.nulls(4),
})
pq.write_table(types, FILES / "types.parquet", write_page_checksum=True)
pq.write_table(types, FILES / "types_v2.parquet", data_page_version="2.0", compression="zstd")
pq.write_table(types, FILES / "types_gzip.parquet", compression="gzip", use_dictionary=False)
pq.write_table(types, FILES / "types_int96.parquet", compression="lz4", row_group_size=3,
               use_deprecated_int96_timestamps=True)
pq.write_table(types.select(["i64", "word"]), FILES / "brotli.parquet", compression="brotli")
for name, codec in (("types.arrow", None), ("types_lz4.arrow", "lz4")):
    with ipc.new_file(FILES / name, types.schema,
                      options=ipc.IpcWriteOptions(compression=codec)) as out:
        out.write_table(types)
with ipc.new_stream(FILES / "types_zstd.arrows", types.schema,
                    options=ipc.IpcWriteOptions(compression="zstd")) as out:
    out.write_table(types, max_chunksize=3)

# A hundred rows in each encoding.
rows = 100
runs = pa.table({
    "count": pa.array([None if i % 9 == 4 else i * i for i in range(rows)], "int64"),
    "small": pa.array([i % 5 for i in range(rows)], "int32"),
    "real": pa.array([i / 8 for i in range(rows)], "float64"),
    "flag": pa.array([i // 30 % 2 == 0 for i in range(rows)]),
    "name": pa.array([f"item {i // 4}" for i in range(rows)]),
})
delta = {"count": "DELTA_BINARY_PACKED", "small": "DELTA_BINARY_PACKED", "flag": "RLE",
         "name": "DELTA_BYTE_ARRAY", "real": "BYTE_STREAM_SPLIT"}
pq.write_table(runs, FILES / "delta.parquet", use_dictionary=False, column_encoding=delta)
pq.write_table(runs, FILES / "delta_length.parquet", use_dictionary=False, compression="none",
               column_encoding={"name": "DELTA_LENGTH_BYTE_ARRAY", "small": "BYTE_STREAM_SPLIT"},
               data_page_size=100, write_batch_size=16, data_page_version="2.0")
pq.write_table(runs, FILES / "dictionary.parquet", row_group_size=30)
polars.from_arrow(runs).write_parquet(FILES / "polars.parquet", compression="zstd")
polars.from_arrow(runs).write_ipc(FILES / "polars.arrow", compression="zstd")
duckdb.sql("select * from runs").write_parquet(str(FILES / "duckdb.parquet"), compression="snappy")
fastparquet.write(str(FILES / "fastparquet.parquet"), runs.to_pandas(), compression="GZIP",
                  write_index=False)
feather.write_feather(runs, FILES / "runs.feather", compression="lz4", chunksize=40)

nested = pa.table({"x": [1.0, 2.0], "list": [[1, 2], []], "struct": [{"a": 1}, {"a": 2}],
                   "y": ["no", "yes"]})
pq.write_table(nested, FILES / "nested.parquet")
with ipc.new_file(FILES / "nested.arrow", nested.schema) as out:
    out.write_table(nested)

batches = [pa.record_batch({"k": pa.DictionaryArray.from_arrays(pa.array(codes, "int8"), words),
                            "x": pa.array([1.0] * len(codes))})
           for codes, words in (([0, 1, None], ["b", "a"]), ([2, 0], ["b", "a", "c"]))]
with ipc.new_stream(FILES / "dictionary_delta.arrows", batches[0].schema,
                    options=ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as out:
    for batch in batches:
        out.write_batch(batch)
views = pa.table({"t": pa.array(["short", None, "longer than twelve bytes", ""], pa.string_view()),
                  "x": [1, 2, 3, 4]})
with ipc.new_file(FILES / "views.arrow", views.schema) as out:
    out.write_table(views)

# What pandas and polars say of columns beyond Parquet's types.
frame = pandas.DataFrame({"grade": pandas.Categorical([3, 1, 3, None]),
                          "size": pandas.Categorical(["10", "2", "10", "2"]),
                          "lasted": pandas.to_timedelta(["1h", "90s", None, "-1500ms"]),
                          "y": [1.5, 2.5, 3.5, 4.5]},
                         index=pandas.Index([7, 9, 8, 6], name="key"))
frame.to_parquet(FILES / "pandas.parquet")
fastparquet.write(str(FILES / "pandas_fastparquet.parquet"), frame[["grade", "size", "y"]])
pandas_table = pa.Table.from_pandas(frame)
with ipc.new_file(FILES / "pandas.arrow", pandas_table.schema) as out:
    out.write_table(pandas_table)
polars.DataFrame({"size": polars.Series(["10", "2", "10", "2"], dtype=polars.Categorical),
                  "lasted": polars.Series([3600000, 90000, None, -1500], dtype=polars.Duration("ms")),
                  "y": [1.5, 2.5, 3.5, 4.5]}).write_parquet(FILES / "polars_categories.parquet")
