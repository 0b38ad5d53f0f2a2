#!/usr/bin/env python3
"""Reading beside pyarrow: equal files, alternating runs, the fastest of each compared.

Six kinds of files of 20 to 30 MB are written to a temporary folder, which the page cache holds.
pyarrow reads into columns of its own choice (double, int64, text), Tandem into float32 rows, which
are what it trains on, and with --double into double rows. Each figure is the fastest of all runs,
since other work on a machine can only slow one down.

With --format parquet or arrow the same tables are written in that format, as pyarrow does by default.

Usage: against_pyarrow.py --bench PROGRAM [--format csv] [--threads 1 2] [--repeats 5] [--double]
PROGRAM is tandem_data_bench. Needs numpy and pyarrow.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def write(path, columns):
    with open(path, "w") as file:
        file.write(",".join(f"c{j}" for j in range(len(columns))) + "\n")
        file.writelines(",".join(row) + "\n" for row in zip(*columns))


def with_missing(column, draw):
    chance = draw.random(len(column))
    return ["" if p < 0.05 else "NA" if p < 0.1 else text for p, text in zip(chance, column)]


def write_files(folder):
    draw = np.random.default_rng(1)
    rows = 300_000

    def fractions():
        return [f"{value:.6f}" for value in draw.normal(size=rows) * 10]

    words = ["alpha", "beta", "gamma delta", '"x, y"', '"say ""hi"""', "Namibia"]
    kinds = {
        "fractions of 6 places": [fractions() for _ in range(10)],
        "fractions of 16-17 digits":
            [[repr(float(v)) for v in draw.normal(size=rows // 2)] for _ in range(10)],
        "whole numbers to 10^6":
            [[str(v) for v in draw.integers(-100000, 1000000, rows)] for _ in range(10)],
        "bytes": [[str(v) for v in draw.integers(0, 256, rows)] for _ in range(20)],
        "a third texts, some quoted":
            [[words[v] for v in draw.integers(0, 6, rows)] if j % 3 == 0 else fractions()
             for j in range(9)] + [fractions()],
        "a tenth missing": [with_missing(fractions(), draw) for _ in range(10)],
    }
    paths = {}
    for number, (kind, columns) in enumerate(kinds.items()):
        paths[kind] = folder / f"kind{number}.csv"
        write(paths[kind], columns)
    return paths


def converted(path, kind):
    """The file in another format; the CSV file is removed."""
    if kind == "csv":
        return path
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet
    table = pyarrow.csv.read_csv(path)
    path.unlink()
    path = path.with_suffix("." + kind)
    if kind == "parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, path)
    return path


def time_pyarrow(path, threads):
    read = {".csv": f"csv.read_csv(path, csv.ReadOptions(use_threads={threads > 1}))",
            ".parquet": f"parquet.read_table(path, use_threads={threads > 1})",
            ".arrow": f"feather.read_table(path, use_threads={threads > 1}, memory_map=False)"}
    code = f"""
import time, pyarrow, pyarrow.csv as csv, pyarrow.feather as feather, pyarrow.parquet as parquet
pyarrow.set_cpu_count({threads})
path = {str(path)!r}
best = 1e9
for _ in range(4):
    start = time.perf_counter()
    {read[path.suffix]}
    best = min(best, time.perf_counter() - start)
print(best)
"""
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                                text=True).stdout)


def time_tandem(bench, path, threads, number):
    result = subprocess.run(
        [bench, f"--benchmark_filter=read_named_csv<{number}>/{threads}/",
         "--benchmark_format=json", "--benchmark_min_time=0.05", "--benchmark_repetitions=4"],
        check=True, capture_output=True, text=True, env=os.environ | {"TANDEM_CSV_FILE": str(path)})
    runs = [run for run in json.loads(result.stdout)["benchmarks"] if run["run_type"] == "iteration"]
    if any(run.get("error_occurred") for run in runs) or not runs:
        raise SystemExit(f"{bench} did not read {path}: {result.stdout}")
    return min(run["real_time"] for run in runs) * 1e-9


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True, help="tandem_data_bench")
    parser.add_argument("--format", choices=["csv", "parquet", "arrow"], default="csv")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--double", action="store_true", help="read into double")
    arguments = parser.parse_args()
    number = "double" if arguments.double else "float"
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'file':28} {'MB':>5} {'threads':>7} {'tandem s':>9} {'pyarrow s':>9} {'times':>6}")
        for kind, path in write_files(Path(folder)).items():
            path = converted(path, arguments.format)
            for threads in arguments.threads:
                ours = theirs = float("inf")
                for _ in range(arguments.repeats):
                    ours = min(ours, time_tandem(arguments.bench, path, threads, number))
                    theirs = min(theirs, time_pyarrow(path, threads))
                size = path.stat().st_size * 1e-6
                print(f"{kind:28} {size:5.0f} {threads:7} {ours:9.4f} {theirs:9.4f} "
                      f"{theirs / ours:6.2f}", flush=True)


if __name__ == "__main__":
    main()
