#!/usr/bin/env python3
"""Training from more rows than fit into memory, beside training in memory.

Rows are generated into a .npy file, block by block. Each algorithm is trained twice: with all the
memory that there is, and with --memory-limit of a part of the rows' bytes (a quarter unless told)
and --cache in the same folder. The second run is inside a control group whose memory, the page
cache included, is limited to the same number of bytes where this user may make one (version 1 or
2; mostly root); else the table says so, and the peak is that of the process alone (VmHWM).

Columns: time of training in memory and on disk, as the program's own clock has it, and their ratio;
how many times the bytes of the file came from the disk in the whole run, reading and evaluation
included, and how long the disk alone takes for those (by its rate, measured first by direct reads of
the same file); the time of the whole run on disk over the longer of that and the whole run in memory,
which is what perfect overlapping would take; the share of its threads' time that the run on disk
waited for the disk; the most memory by the system's account, of the control group and of the process;
whether the model files are the same bytes.

Usage: out_of_core.py --program build/release/bin/tandem [--bytes 2G] [--part 4] [--threads 2]
       [--algorithms kmeans linear-regression ...] [--folder DIR] [--json FILE]
With --bytes 20G the rows may not fit into the machine's memory: the run in memory is then left out
and the table says so. Needs numpy.
"""

import argparse
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FEATURES = 28
ALGORITHMS = {
    "kmeans": ["--k", "16", "--max-iterations", "10", "--tolerance", "0", "--ignore", "last"],
    "kmeans-scaled": ["--k", "16", "--max-iterations", "10", "--tolerance", "0", "--ignore", "last",
                      "--scale", "standard"],
    "linear-regression": ["--target", "last", "--solver", "cholesky"],
    "linear-regression-qr": ["--target", "last", "--solver", "qr"],
    "logistic-regression": ["--target", "last", "--max-iterations", "10"],
    "mlp": ["--target", "last", "--hidden", "128", "--epochs", "2"],
    "gradient-boosting": ["--target", "last", "--rounds", "20", "--max-depth", "6"],
}


def parse_bytes(text):
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    if text and text[-1].upper() in units:
        return int(float(text[:-1]) * 2 ** units[text[-1].upper()])
    return int(text)


def readable(count):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.2f} {unit}" if unit == "GiB" else f"{count:.0f} {unit}"
        count /= 1024
    return ""


def seconds(number, unit=""):
    return "" if number is None else f"{number:.2f}{unit}"


def write_rows(path, rows):
    """28 features in float64 and a label of two classes, of clusters that overlap."""
    at_once = 1 << 16
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (rows, FEATURES + 1)})
        centres = np.random.default_rng(7).normal(0, 3, (16, FEATURES))
        direction = np.random.default_rng(8).normal(0, 1, FEATURES)
        for begin in range(0, rows, at_once):
            draw = np.random.default_rng([9, begin])
            count = min(at_once, rows - begin)
            block = np.empty((count, FEATURES + 1))
            block[:, :FEATURES] = (centres[draw.integers(0, 16, count)]
                                   + draw.normal(0, 1, (count, FEATURES)))
            score = block[:, :FEATURES] @ direction + draw.normal(0, 4, count)
            block[:, FEATURES] = score > 0
            file.write(block.tobytes())


class ControlGroup:
    """A group of processes whose memory is limited; `missing` says why there is none."""

    def __init__(self, limit):
        self.missing = ""
        self.folder = None
        name = f"tandem-out-of-core-{os.getpid()}"
        for root, limit_name, peak_name in (
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
                ("/sys/fs/cgroup", "memory.max", "memory.peak")):
            folder = Path(root) / name
            try:
                folder.mkdir()
                (folder / limit_name).write_text(str(limit))
                self.folder, self.peak_name = folder, peak_name
                return
            except OSError as error:
                self.missing = f"{folder}: {error.strerror}"
                if folder.is_dir():
                    folder.rmdir()

    def join(self):
        if self.folder is not None:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self):
        if self.folder is None:
            return None
        try:
            return int((self.folder / self.peak_name).read_text())
        except OSError:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.folder is not None:
            self.folder.rmdir()


def available():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def disk_rate(path, most=1 << 30):
    """Bytes a second of reading the file from its disk, past the page cache; None where the file system
    has no direct reads."""
    buffer = mmap.mmap(-1, 4 << 20)  # aligned, as direct reads want it
    try:
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        begin, count = time.monotonic(), 0
        while count < most and (got := os.readv(file, [buffer])) > 0:
            count += got
        return count / (time.monotonic() - begin)
    except OSError:
        return None
    finally:
        os.close(file)


def train(program, name, data, model, threads, more, join=None):
    algorithm = "kmeans" if name.startswith("kmeans") else name.removesuffix("-qr")
    command = [program, "train", algorithm, "--data", data, "--model", model, "--force", "--json",
               "--threads", str(threads), *ALGORITHMS[name], *more]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=join, check=False)
    if done.returncode != 0:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip()
                else f"status {done.returncode}"}
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--bytes", type=parse_bytes, default=parse_bytes("2G"))
    parser.add_argument("--part", type=float, default=4)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=ALGORITHMS)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()

    rows = max(1, arguments.bytes // (8 * (FEATURES + 1)))
    limit = int(8 * rows * (FEATURES + 1) / arguments.part)
    if limit < 64 << 20:
        sys.exit("a part of less than 64 MiB cannot be a memory limit; raise --bytes")
    figures = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        data = f"{folder}/rows.npy"
        write_rows(data, rows)
        size = os.path.getsize(data)
        fits = available() > 3 * size
        os.sync()
        rate = disk_rate(data)
        print(f"{rows} rows of {FEATURES} features, {readable(size)}; "
              f"memory limit {readable(limit)}; {arguments.threads} threads; the disk reads "
              f"{f'{readable(rate)}/s' if rate else 'at an unknown rate'}\n")
        print(f"{'algorithm':22} {'memory':>9} {'disk':>9} {'ratio':>6} {'read':>6} {'disk alone':>10} "
              f"{'of floor':>8} {'waited':>7} {'peak group':>11} {'peak process':>13}  same model")
        for name in arguments.algorithms:
            memory = (train(arguments.program, name, data, f"{folder}/memory.model",
                            arguments.threads, []) if fits else None)
            with ControlGroup(limit) as group:
                disk = train(arguments.program, name, data, f"{folder}/disk.model",
                             arguments.threads, ["--memory-limit", str(limit), "--cache",
                                                 f"{folder}/cache"], group.join)
                peak = group.peak()
            row = {"algorithm": name, "bytes": size, "limit": limit, "memory": memory,
                   "disk": disk, "peak_group": peak, "no_group": group.missing if peak is None
                   else None}
            if "error" in disk or (memory and "error" in memory):
                print(f"{name:22} failed: {disk.get('error') or memory['error']}")
                figures.append(row)
                continue
            on_disk = disk["seconds"]["train"]
            total = sum(disk["seconds"].values())
            row["waited_share"] = disk["disk"]["waiting_seconds"] / (arguments.threads * total)
            row["same_model"] = (Path(f"{folder}/memory.model").read_bytes()
                                 == Path(f"{folder}/disk.model").read_bytes()) if memory else None
            in_memory = memory["seconds"]["train"] if memory else None
            row["disk_alone"] = disk["disk"]["loaded_bytes"] / rate if rate else None
            floor = max(row["disk_alone"] or 0, sum(memory["seconds"].values()) if memory else 0)
            row["of_floor"] = total / floor if floor else None
            print(f"{name:22} {f'{in_memory:8.2f}s' if memory else 'no room':>9} {on_disk:8.2f}s "
                  f"{f'{on_disk / in_memory:6.2f}' if memory else '':>6} "
                  f"{disk['disk']['loaded_bytes'] / size:6.1f} "
                  f"{seconds(row['disk_alone'], 's'):>10} "
                  f"{seconds(row['of_floor']):>8} "
                  f"{row['waited_share']:7.0%} "
                  f"{readable(peak) if peak is not None else 'no group':>11} "
                  f"{readable(disk['disk']['peak_memory_bytes']):>13}  "
                  f"{'' if row['same_model'] is None else 'yes' if row['same_model'] else 'NO'}")
            sys.stdout.flush()
            figures.append(row)
        if any(row["no_group"] for row in figures):
            print(f"\nno control group: {figures[0]['no_group']}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")
    if any(row.get("same_model") is False or "error" in row["disk"] for row in figures):
        sys.exit(1)


if __name__ == "__main__":
    main()
