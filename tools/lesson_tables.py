#!/usr/bin/env python3
"""Writes the tables of docs/lessons/: what `tandem lesson NAME` counts and estimates.

    tools/lesson_tables.py --tandem build/release/apps/tandem [--check] [NAME...]
    tools/lesson_tables.py --tandem build/release/apps/tandem --fair [NAME...]

Each page has a line `<!-- table of tandem lesson NAME -->`; the table that follows it is replaced.
What it holds does not depend on the machine: nothing measured is in it. With --check nothing is
written, and the status is 1 where a page is not what would be written.

--fair prints the table of docs/lessons/fair-comparison.md for this machine: how many times longer the
CPU takes than an A100 is estimated to, by who is compared with whom.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

PAGES = pathlib.Path(__file__).resolve().parent.parent / "docs" / "lessons"
MARK = re.compile(r"^<!-- table of tandem lesson ([a-z-]+) -->\n(?:\|[^\n]*\n)*", re.M)


def table_of(result):
    devices = [one["device"] for one in result["rungs"][0]["estimates"]]
    sizes = ", ".join(f"{name} = {value}" for name, value in sorted(result["sizes"].items()))
    lines = [f"| {sizes} | instructions | sectors | wavefronts | score | "
             + " | ".join(f"{device}, µs" for device in devices) + " | explain says |",
             "|---" + "|--:" * (4 + len(devices)) + "|---|"]
    for rung in result["rungs"]:
        counts = [f"{round(rung[name]):,}" for name in ("instructions", "sectors", "wavefronts")]
        times = [f"{one['seconds'] * 1e6:.3g}" for one in rung["estimates"]]
        first = rung["steps"][0]["rule"] if rung["next"] else ""
        lines.append(f"| {rung['name']} | " + " | ".join(counts)
                     + f" | {rung['score']:.3g} | " + " | ".join(times) + f" | {first} |")
    return "\n".join(lines) + "\n"


def fair(tandem, names):
    print("| lesson | naive, µs | one thread | vectorised | A100, data there | and copies | "
          "naive / A100 | vectorised / A100 | vectorised / A100 and copies |")
    print("|---" + "|--:" * 8 + "|")
    for name in names:
        done = subprocess.run([tandem, "lesson", name, "--json"], capture_output=True, text=True,
                              check=True)
        result = json.loads(done.stdout)
        largest = result["scales"][-1]
        seconds = {one["twin"]: one["seconds"] for one in largest["measured"]}
        there, copied = (next(one["seconds"] for one in largest[key] if one["device"] == "a100")
                         for key in ("resident", "transferred"))
        micro = [f"{1e6 * value:,.{0 if value > 1e-4 else 1}f}"
                 for value in (seconds["naive"], seconds["one thread"], seconds["vectorised"], there,
                               copied)]
        ratios = [f"{value:,.{0 if value > 9.95 else 1}f}"
                  for value in (seconds["naive"] / there, seconds["vectorised"] / there,
                                seconds["vectorised"] / copied)]
        print(f"| {name} | " + " | ".join(micro + ratios) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--fair", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.fair:
        fair(arguments.tandem, arguments.names or [page.stem for page in sorted(PAGES.glob("*.md"))
                                                   if MARK.search(page.read_text())])
        return
    differ = []
    left = set(arguments.names)
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text()
        found = MARK.search(text)
        if not found or arguments.names and found.group(1) not in arguments.names:
            continue
        name = found.group(1)
        left.discard(name)
        done = subprocess.run([arguments.tandem, "lesson", name, "--json", "--no-sizes"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"tandem lesson {name}: {done.stderr}")
        written = MARK.sub(lambda match: f"<!-- table of tandem lesson {match.group(1)} -->\n"
                           + table_of(json.loads(done.stdout)), text)
        if written == text:
            continue
        differ.append(name)
        if not arguments.check:
            page.write_text(written)
    if left:
        sys.exit("no page of docs/lessons has a table of " + ", ".join(sorted(left)))
    if differ:
        print(("not as counted: " if arguments.check else "written: ") + ", ".join(differ))
    sys.exit(bool(differ) and arguments.check)


if __name__ == "__main__":
    main()
