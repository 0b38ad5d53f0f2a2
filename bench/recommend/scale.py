#!/usr/bin/env python3
"""Reckons what 200 million viewers and a billion answers a day take, from what load.py has measured.

    python3 bench/recommend/scale.py load.json [--answers 1e9] [--viewers 2e8] [--peak 3] [--busy 0.5]
        [--cores 16] [--memory 64] [--write docs/scale.md]

load.json is what `load.py --json` printed. With --write the table takes the place of the one in the
page, between <!-- measured: recommend --> and <!-- end -->; else it is printed.
"""

import argparse
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "serving"))
from tables import number, table, write  # noqa: E402

DAY = 86_400
GB = 1e9


def middle(runs):
    return sorted(runs, key=lambda one: one["server_us_per_answer"])[len(runs) // 2]


def reckon(found, arguments):
    mean = arguments.answers / DAY
    peak = mean * arguments.peak
    off, on = middle(found["caches_off"])["server_us_per_answer"], middle(found["caches_on"])["server_us_per_answer"]

    def cores(us):
        return number(mean * us * 1e-6, 1), number(peak * us * 1e-6, 1), math.ceil(peak * us * 1e-6 / arguments.busy)
    rows = [["answers a second", number(mean, 0), number(peak, 0), "", ""]]
    for what, us in [(f"an answer, caches off: {number(off, 0)} µs", off),
                     (f"an answer, caches on, {100 * found['hit_rate']:.0f} % of them kept: {number(on, 0)} µs", on)]:
        rows.append([what, *cores(us), "cores"])
    of_viewers = arguments.viewers * found["bytes_per_viewer"]
    fixed = found["resident_bytes"] - found["viewers"] * found["bytes_per_viewer"]
    rows.append([f"{arguments.viewers / 1e6:,.0f} million viewers of {number(found['watched'] / found['viewers'], 1)} "
                 f"items: {number(found['bytes_per_viewer'], 0)} bytes each", "", "", number(of_viewers / GB, 0), "GB"])
    rows.append([f"model, lists and catalogue of {found['items']:,} items, in each server", "", "",
                 number(fixed / GB, 1), "GB"])
    by_cores = math.ceil(peak * off * 1e-6 / arguments.busy / arguments.cores)
    by_memory = math.ceil(of_viewers / (arguments.memory * GB * arguments.busy - fixed))
    servers = max(by_cores, by_memory)
    rows.append([f"servers of {arguments.cores} cores and {arguments.memory} GB, half of each in use: by cores, caches "
                 "off", "", "", by_cores, "servers"])
    rows.append(["the same by memory", "", "", by_memory, "servers"])
    choice = found["choice_bytes_per_answer"]
    rows.append([f"choices of exploration, all answers taking part: {number(choice, 0)} bytes each", "", "",
                 number(arguments.answers * choice / GB, 0), "GB a day"])
    share = arguments.viewers / servers
    rows.append([f"a snapshot of the {share / 1e6:,.1f} million viewers of one of {servers} servers, about", "", "",
                 number(share * (found["watched"] / found["viewers"] * 12 + 20) / GB, 1), "GB"])
    return {"recommend": table(["what", f"mean of {arguments.answers:,.0f} a day", f"peak, {arguments.peak:g} times "
                                "the mean", f"at most {100 * arguments.busy:.0f} % busy at the peak", ""], rows)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--answers", type=float, default=1e9)
    parser.add_argument("--viewers", type=float, default=2e8)
    parser.add_argument("--peak", type=float, default=3)
    parser.add_argument("--busy", type=float, default=0.5)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--memory", type=float, default=64)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    made = reckon(json.loads(arguments.file.read_text()), arguments)
    if not arguments.write:
        print("\n\n".join(made.values()))
        return 0
    return write(arguments.write, made)


if __name__ == "__main__":
    sys.exit(main())
