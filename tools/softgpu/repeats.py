#!/usr/bin/env python3
"""The device algorithms of CUB and Thrust, run again and again on the software GPU: the table.

    repeats.py PROGRAMS SOFTGPU --log FILE [--runs N] [--threads N] [--only TEXT] [--write PAGE]

PROGRAMS is the folder with cub_repeats and thrust_repeats (the targets softgpu_repeats_cub and
softgpu_repeats_thrust), SOFTGPU the one with libcudart.so.13. Each case runs N times (1000) on N
threads (8), and each run is compared with the host bit by bit. What is done stands in the log, a line
of JSON for each case, so that a run which was ended goes on where it was. `--write` puts the table of
the log in place of the one in the page.

Ends with 1 where a run was wrong or a case is still missing, with 2 for wrong usage.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HEAD = "| algorithm | items | blocks | runs | wrong |\n|---|--:|--:|--:|--:|\n"
LIBRARIES = {"cub": "", "thrust": "thrust::"}
LINE = re.compile(r"^(?P<name>.+?) +(?P<items>\d+) +(?P<blocks>\d+) +(?P<runs>\d+) +(?P<wrong>\d+)"
                  r" +(?P<seconds>[\d.]+)$")


def names_of(program, environment):
    done = subprocess.run([str(program), "list"], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} list ended with {done.returncode}")
    return done.stdout.splitlines()


def read_log(path):
    """The last record of each case."""
    records = {}
    if path.exists():
        for line in path.read_text().splitlines():
            record = json.loads(line)
            records[record["library"], record["name"]] = record
    return records


def measure(program, name, runs, environment):
    done = subprocess.run([str(program), str(runs), "=" + name], env=environment,
                          stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        found = LINE.match(line)
        if found and found["name"] == name:
            return {key: int(found[key]) for key in ("items", "blocks", "runs", "wrong")} | {
                "seconds": float(found["seconds"])}
    sys.exit(f"{program.name} {runs} '={name}' ended with {done.returncode} and printed no result:\n"
             f"{done.stdout[-2000:]}")


def table_of(cases, records):
    rows = []
    for library, name in cases:
        record = records.get((library, name))
        if record is not None:
            rows.append(f"| {LIBRARIES[library]}{name} | {record['items']:,} | {record['blocks']} | "
                        f"{record['runs']:,} | {record['wrong']} |\n")
    return HEAD + "".join(rows)


def write_into(page, table):
    text = page.read_text()
    begin = text.find(HEAD)
    if begin < 0:
        sys.exit(f"{page}: there is no table that begins with {HEAD.splitlines()[0]!r}")
    end = text.find("\n\n", begin) + 1
    page.write_text(text[:begin] + table + text[end:])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("softgpu", type=Path, help="folder with libcudart.so.13")
    parser.add_argument("--log", type=Path, required=True, help="what is done, as lines of JSON")
    parser.add_argument("--runs", type=int, default=1000, help="of each case (1000)")
    parser.add_argument("--threads", type=int, default=8, help="that run blocks (8)")
    parser.add_argument("--only", default="", help="only cases whose name has this")
    parser.add_argument("--write", type=Path, help="puts the table into this page")
    arguments = parser.parse_args()
    if arguments.runs < 1 or arguments.threads < 1:
        parser.error("--runs and --threads are numbers from 1 on")
    environment = dict(os.environ, LD_LIBRARY_PATH=str(arguments.softgpu),
                       SOFTGPU_THREADS=str(arguments.threads))
    cases = []
    for library in LIBRARIES:
        program = arguments.programs / f"{library}_repeats"
        if not program.exists():
            sys.exit(f"{program} is not there: build the target softgpu_repeats_{library}")
        cases += [(library, name) for name in names_of(program, environment)]
    records = read_log(arguments.log)
    for library, name in cases:
        done = records.get((library, name))
        if arguments.only not in name or (done is not None and done["runs"] >= arguments.runs):
            continue
        record = {"library": library, "name": name,
                  **measure(arguments.programs / f"{library}_repeats", name, arguments.runs,
                            environment)}
        records[library, name] = record
        with arguments.log.open("a") as log:
            log.write(json.dumps(record) + "\n")
        print(f"{LIBRARIES[library]}{name}: {record['wrong']} of {record['runs']} wrong, "
              f"{record['seconds']:.1f} s", flush=True)
    table = table_of(cases, records)
    if arguments.write is not None:
        write_into(arguments.write, table)
    else:
        print(table, end="")
    missing = [name for library, name in cases if (library, name) not in records]
    for name in missing:
        print(f"not run: {name}", file=sys.stderr)
    sys.exit(1 if missing or any(one["wrong"] for one in records.values()) else 0)


if __name__ == "__main__":
    main()
