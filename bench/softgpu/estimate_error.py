#!/usr/bin/env python3
"""How far `tandem gpu profile --device` is from what others measured and published.

Each case of published/measurements.json is run, smaller, under the profiler; its kernels' estimated
time is scaled by the work to what was measured. Prints a table of both and of the error, by cases
that the model was tuned on and cases that were held out: those whose SHA-256 of
"DEVICE/PROGRAM/CASE" begins with an odd byte.
"""

import argparse
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Kernels of the programs that are no part of what was measured.
NOT_MEASURED = ("fill_l2",)


def key(one):
    return f"{one['device']}/{one['program']}/{one['case']}"


def held_out(one):
    return hashlib.sha256(key(one).encode()).digest()[0] % 2 == 1


def seconds_measured(one):
    if one["unit"] == "ms":
        return one["measured"] / 1e3
    return one["work"] / (one["measured"] * 1e9)


def in_unit(one, seconds):
    if one["unit"] == "ms":
        return seconds * 1e3
    return one["work"] / seconds / 1e9


def profile_of(one, arguments):
    """The profile of a case, as JSON, with the work that the program did; kept in --keep."""
    kept = arguments.keep / (key(one).replace("/", "-") + ".json") if arguments.keep else None
    if kept and kept.exists() and not arguments.again:
        work = json.loads(kept.with_suffix(".work").read_text())
        command = [str(arguments.tandem), "gpu", "profile", "--json", "--device", one["device"],
                   str(kept)]
        # The estimate is made anew from what was counted.
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{key(one)}: status {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(done.stdout), work
    command = [str(arguments.tandem), "gpu", "profile", "--json", "--device", one["device"]]
    if kept:
        command += ["--out", str(kept), "--force"]
    command += [str(arguments.programs / one["program"]), one["case"]]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    if done.returncode != 0:
        sys.exit(f"{key(one)}: status {done.returncode}: {done.stderr[-2000:]}")
    work = [line for line in done.stderr.splitlines() if line.startswith("work ")]
    if len(work) != 1:
        sys.exit(f"{key(one)}: the program did not say how much it did: {done.stderr[-2000:]}")
    amount = float(work[0].split()[1])
    if kept:
        kept.with_suffix(".work").write_text(json.dumps(amount))
    return json.loads(done.stdout), amount


def estimate(one, arguments):
    profile, work = profile_of(one, arguments)
    seconds = 0.0
    bounds = []
    for kernel in profile["kernels"]:
        if any(name in kernel["name"] for name in NOT_MEASURED):
            continue
        found = kernel["estimate"]
        alone = found["kernel_seconds"] * kernel["launches"]
        # Kernels grow with the problem; what lies between launches does not.
        seconds += alone * one["work"] / work
        seconds += (found["seconds"] - found["kernel_seconds"]) * kernel["launches"]
        bounds.append((alone, found["bound"]))
    if not bounds:
        sys.exit(f"{key(one)}: no kernel was profiled")
    return seconds, max(bounds)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).resolve().parent
    parser.add_argument("--programs", type=Path, required=True,
                        help="folder of the programs (BUILD/bench/softgpu/published)")
    parser.add_argument("--tandem", type=Path, required=True, help="the program tandem")
    parser.add_argument("--measurements", type=Path,
                        default=here / "published" / "measurements.json")
    parser.add_argument("--only", default="", help="only cases whose DEVICE/PROGRAM/CASE has this")
    parser.add_argument("--tuning", action="store_true", help="only cases that are not held out")
    parser.add_argument("--keep", type=Path, help="keeps profiles in this folder, and uses them")
    parser.add_argument("--again", action="store_true", help="profiles again what was kept")
    parser.add_argument("--jobs", type=int, default=1, help="profiles at a time")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    everything = json.loads(arguments.measurements.read_text())["measurements"]
    wanted = [m for m in everything if arguments.only in key(m)
              and not (arguments.tuning and held_out(m))]
    if not wanted:
        sys.exit("no such case")
    errors = {False: [], True: []}
    print("| device | kernel | measured | estimate | error | bound by | |")
    print("|---|---|--:|--:|--:|---|---|")
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for one, (seconds, bound) in zip(wanted,
                                         pool.map(lambda m: estimate(m, arguments), wanted)):
            # Positive: the estimate takes longer than what was measured.
            ratio = seconds / seconds_measured(one)
            errors[held_out(one)].append(math.exp(abs(math.log(ratio))) - 1)
            print(f"| {one['device']} | {one['program']} {one['case']} "
                  f"| {one['measured']:.4g} {one['unit']} | {in_unit(one, seconds):.4g} "
                  f"| {100 * (ratio - 1):+.0f} % | {bound} "
                  f"| {'held out' if held_out(one) else ''} |", flush=True)
    print()
    for name, of in (("tuned on", errors[False]), ("held out", errors[True])):
        if not of:
            continue
        within = sum(e <= 0.2 for e in of)
        print(f"{name}: {len(of)} cases, median error {100 * statistics.median(of):.0f} %, "
              f"{within} within 20 %, the largest {100 * max(of):.0f} %")


if __name__ == "__main__":
    main()
