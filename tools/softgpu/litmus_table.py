#!/usr/bin/env python3
"""What the litmus tests of the software GPU saw: the table.

    litmus_table.py LOG [--write PAGE]

LOG is what `ctest -L long -R LongLitmus -V` or the program `tandem_softgpu_tests
--gtest_filter='LongLitmus*'` printed. The table has a line for each test and place (between blocks,
warps, the blocks of a cluster) and a column for each order. Where the order forbids the test's weak
outcome, a cell is the share of the rounds in which the threads ran against each other, so that the
outcome could have been seen; where the PTX ISA permits it, the share of the rounds that showed it. "-"
says that there was no such round. `--write` puts the table in place of the one in the page.

Ends with 1 where the log says that a round showed something forbidden or torn, or has no complete
table, with 2 for wrong usage.
"""

import argparse
import re
import sys
from pathlib import Path

BEGIN = "<!-- litmus table -->\n"
END = "<!-- end of the litmus table -->\n"
ALL = "All litmus tests, on "
LINE = re.compile(r"^(?:\d+: )?(?P<test>\S+) (?P<place>blocks|warps|cluster) (?P<order>\S.*?)"
                  r" {2,}(?P<rounds>\d+) +(?P<forbidden>\d+) +(?P<torn>\d+)"
                  r" +(?P<permitted>\d+|not exercised)$")


def read_log(path):
    """The lines of the table of all combinations: one dictionary each."""
    rows = []
    inside = False
    for line in path.read_text().splitlines():
        if ALL in line:
            inside = True
            continue
        if not inside or line.rstrip().endswith("permitted"):
            continue
        found = LINE.match(line)
        if found is None:
            break
        row = found.groupdict()
        for name in ("rounds", "forbidden", "torn"):
            row[name] = int(row[name])
        row["permitted"] = 0 if row["permitted"] == "not exercised" else int(row["permitted"])
        rows.append(row)
    return rows


def share(row):
    if row["permitted"] == 0:
        return "-"
    percent = 100 * row["permitted"] / row["rounds"]
    return "< 1 %" if percent < 1 else f"{percent:.0f} %"


def table_of(rows):
    orders = list(dict.fromkeys(row["order"] for row in rows))
    cells = {(row["test"], row["place"], row["order"]): row for row in rows}
    lines = ["| test, between | " + " | ".join(f"`{order}`" for order in orders)
             + " | rounds | forbidden | torn |\n",
             "|---|" + "--:|" * (len(orders) + 3) + "\n"]
    for test, place in dict.fromkeys((row["test"], row["place"]) for row in rows):
        here = [cells.get((test, place, order)) for order in orders]
        present = [row for row in here if row is not None]
        lines.append(f"| {test}, {place} | "
                     + " | ".join("" if row is None else share(row) for row in here)
                     + f" | {sum(row['rounds'] for row in present):,}"
                     + f" | {sum(row['forbidden'] for row in present)}"
                     + f" | {sum(row['torn'] for row in present)} |\n")
    return "".join(lines)


def write_into(page, table):
    text = page.read_text()
    begin = text.find(BEGIN)
    end = text.find(END)
    if begin < 0 or end < begin:
        sys.exit(f"{page}: there is no table between {BEGIN.strip()!r} and {END.strip()!r}")
    page.write_text(text[:begin + len(BEGIN)] + "\n" + table + "\n" + text[end:])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, help="what the tests printed")
    parser.add_argument("--write", type=Path, help="puts the table into this page")
    arguments = parser.parse_args()
    if not arguments.log.exists():
        parser.error(f"{arguments.log} is not there")
    rows = read_log(arguments.log)
    if not rows:
        sys.exit(f"{arguments.log}: no table after a line with {ALL!r}; run LongLitmus")
    table = table_of(rows)
    if arguments.write is not None:
        write_into(arguments.write, table)
    else:
        print(table, end="")
    sys.exit(1 if any(row["forbidden"] or row["torn"] for row in rows) else 0)


if __name__ == "__main__":
    main()
