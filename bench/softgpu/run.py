#!/usr/bin/env python3
"""The software GPU's speed: thread-instructions per second and core, and against plain C++.

Runs every program of the benchmark set. Each times its kernels, then the same algorithm in plain C++
(OpenMP, -O3 -march=native) on as many cores, and compares the results. How many instructions the
threads executed comes from the executor itself (SOFTGPU_REPORT), as do the seconds that kernels ran.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def executed(report):
    """Thread-instructions and seconds of all kernels in a report."""
    kernels = report["kernels"]
    return (sum(k["thread_instructions"] for k in kernels), sum(k["seconds"] for k in kernels))


def measure(program, library, threads):
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        environment = dict(os.environ, LD_LIBRARY_PATH=str(library), SOFTGPU_REPORT=str(report),
                           SOFTGPU_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
        done = subprocess.run([str(program)], env=environment, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{program.name} failed with status {done.returncode}: {done.stdout.strip()}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        instructions, seconds = executed(json.loads(report.read_text()))
    result["name"] = program.name
    result["thread_instructions"] = instructions
    result["per_second_and_core"] = instructions / seconds / threads
    result["slowdown"] = result["kernel_seconds"] / result["plain_seconds"]
    return result


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, help="folder of the programs")
    parser.add_argument("--library", type=Path, required=True,
                        help="folder with the software GPU's libcudart.so.13")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="cores to use (all)")
    parser.add_argument("--only", default="", help="only programs whose name has this")
    parser.add_argument("--json", type=Path, help="write the results there too")
    arguments = parser.parse_args()
    programs = sorted(p for p in arguments.programs.iterdir()
                      if p.is_file() and os.access(p, os.X_OK) and arguments.only in p.name)
    if not programs:
        sys.exit(f"no programs in {arguments.programs}")
    print(f"{'':16} {'G thread-instr.':>16} {'per second':>11} {'kernels':>10} {'plain C++':>10} "
          f"{'slower':>8}")
    print(f"{'':16} {'executed':>16} {'and core, G':>11} {'ms':>10} {'ms':>10} {'times':>8}")
    results = []
    for program in programs:
        r = measure(program, arguments.library, arguments.threads)
        results.append(r)
        print(f"{r['name']:16} {r['thread_instructions'] / 1e9:16.3f} "
              f"{r['per_second_and_core'] / 1e9:11.2f} {r['kernel_seconds'] * 1e3:10.2f} "
              f"{r['plain_seconds'] * 1e3:10.2f} {r['slowdown']:8.1f}", flush=True)
    mean_rate = geometric_mean([r["per_second_and_core"] for r in results])
    mean_slowdown = geometric_mean([r["slowdown"] for r in results])
    print(f"{'geometric mean':16} {'':16} {mean_rate / 1e9:11.2f} {'':10} {'':10} "
          f"{mean_slowdown:8.1f}")
    print(f"{arguments.threads} cores; shortest of three runs after one that does not count, for "
          "both sides; instructions and their rate over all runs")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
