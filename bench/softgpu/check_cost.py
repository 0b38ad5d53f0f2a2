#!/usr/bin/env python3
"""What a check costs: the benchmark programs of the software GPU, checked and not, on one core.

Prints the seconds that kernels ran, times the share of a core that their program had (so that other
work on the machine matters less), and their ratio, of the whole check and of the memory checks alone
(`gpu check --only memory`); all programs have to be free of findings.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds(program, library, scratch, **more):
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library), SOFTGPU_THREADS="1", **more)
    report = scratch / "report.json"
    environment["SOFTGPU_REPORT"] = str(report)
    begun = time.monotonic(), processor_seconds()
    done = subprocess.run([str(program)], env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    elapsed, used = time.monotonic() - begun[0], processor_seconds() - begun[1]
    if done.returncode != 0:
        sys.exit(f"{program.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    kernels = sum(k["seconds"] for k in json.loads(report.read_text())["kernels"])
    return kernels * min(used / elapsed, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, help="folder of the programs")
    parser.add_argument("--library", type=Path, required=True,
                        help="folder with the software GPU's libcudart.so.13")
    parser.add_argument("--only", default="", help="only programs whose name has this")
    arguments = parser.parse_args()
    programs = sorted(p for p in arguments.programs.iterdir()
                      if p.is_file() and os.access(p, os.X_OK) and arguments.only in p.name)
    if not programs:
        sys.exit(f"no programs in {arguments.programs}")
    print("| program | kernels, s | checked, s | times | memory alone, s | times |\n"
          "|---|--:|--:|--:|--:|--:|")
    ratios = {"whole": [], "memory": []}
    with tempfile.TemporaryDirectory() as folder:
        for program in programs:
            plain = seconds(program, arguments.library, Path(folder))
            checked = seconds(program, arguments.library, Path(folder), SOFTGPU_CHECK="1")
            memory = seconds(program, arguments.library, Path(folder), SOFTGPU_CHECK="1",
                             SOFTGPU_CHECK_ONLY="memory")
            ratios["whole"].append(checked / plain)
            ratios["memory"].append(memory / plain)
            print(f"| {program.name} | {plain:.2f} | {checked:.1f} | {checked / plain:.1f} | "
                  f"{memory:.1f} | {memory / plain:.1f} |", flush=True)
    print(f"| median | | | {statistics.median(ratios['whole']):.1f} | | "
          f"{statistics.median(ratios['memory']):.1f} |")


if __name__ == "__main__":
    main()
