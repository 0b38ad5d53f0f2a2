#!/usr/bin/env python3
"""Reckons what training on a billion rows and on a trillion takes, from what tandem bench has measured.

    python3 bench/training_at_scale.py RESULT.json... [--rows 1e9,1e12] [--hours 1] [--write docs/scale.md]

RESULT.json is the output of `tandem bench --sweep N,N,N --peers none --json`, with `--estimate h100` for
the columns about GPUs. With --write the table takes the place of that in the page, between
<!-- measured: training --> and <!-- end -->; else it is printed. docs/scale.md says what is assumed.
"""

import argparse
import ast
import json
import math
import operator
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from page_tables import number, table, write  # noqa: E402

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
# The machine that the reckoning is in: what a server of a cluster has today.
CORES, MEMORY = 64, 512e9


def value_of(formula, numbers):
    """A case's formula, which has + - * / ( ), numbers and names."""
    def value(node):
        if isinstance(node, ast.Expression):
            return value(node.body)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.Name) and node.id in numbers:
            return numbers[node.id]
        raise SystemExit(f"training_at_scale.py: {formula}: cannot be read at {ast.dump(node)}")
    return value(ast.parse(formula, mode="eval"))


def amount(value, unit, thousand=1000):
    """Two digits with a prefix: 1.2 TB."""
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if abs(value) < thousand or prefix == "E":
            return f"{value:.2g} {prefix}{unit}" if value < 100 else f"{value:.0f} {prefix}{unit}"
        value /= thousand
    raise AssertionError


def duration(seconds):
    for unit, size in (("years", 365 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 100 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.2g} s"


def reckon(results, arguments):
    cases = {}
    for path in sorted((ROOT / "bench" / "cases").glob("*.json")):
        case = json.loads(path.read_text())
        cases[case["name"]] = case
    grown, works = {}, {}
    for result in results:
        if "growth" not in result:
            raise SystemExit("training_at_scale.py: expected the output of tandem bench --sweep N,N,N --json")
        for one in result["growth"]:
            if (one["measured"], one["arm"], one["swept"], one["threads"]) != ("fit", "tandem", "rows", 1):
                continue
            # Of several sweeps of a case the one that goes furthest.
            name = one["case"]
            if name not in grown or grown[name]["values"][-1] < one["values"][-1]:
                grown[name] = one
        for one in result.get("device_work", []):
            if "estimate" in one:
                works.setdefault(one["case"], []).append(one)
    rows = []
    for name, growth in grown.items():
        case = cases[name]
        if "exchanged" not in case:
            continue
        a_row = growth["median_seconds"][-1] / growth["values"][-1]
        estimated = sorted(works.get(name, []), key=lambda one: one["rows"])[-2:]
        element = 8 if case.get("precision") == "float64" else 4
        for count in arguments.rows:
            numbers = {**case.get("numbers", {}), "rows": count, "features": case["data"]["features"],
                       "element": element}
            seconds = a_row * count
            memory = count * (case["data"]["features"] + 1) * element + value_of(case["memory"], numbers)
            machines = max(math.ceil(seconds / CORES / (3600 * arguments.hours)), math.ceil(memory / MEMORY))
            gpu = "-"
            if len(estimated) == 2:
                less, more = estimated
                slope = ((more["estimate"]["seconds"] - less["estimate"]["seconds"]) /
                         (more["rows"] - less["rows"]))
                gpu = f"{duration(slope * count)} ({more['device']})"
            rows.append([
                name, f"{count:.0e}".replace("e+", "e"),
                f"{growth['exponent']:.2f} [{growth['low']:.2f}, {growth['high']:.2f}]",
                f"{number(1e9 * a_row, 0)} ns", duration(seconds), amount(memory, "B"), f"{machines:,}",
                amount(value_of(case["exchanged"], numbers), "B"), gpu])
    rows.sort(key=lambda row: (float(row[1]), row[0]))
    return {"training": table(
        ["case", "rows", "measured exponent", "a row, one core", "one core", "rows and work in memory",
         f"machines for {arguments.hours:g} h", "each sends and receives", "one GPU, estimate"], rows)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results", nargs="+", type=pathlib.Path)
    parser.add_argument("--rows", default="1e9,1e12",
                        type=lambda text: [float(one) for one in text.split(",")])
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    made = reckon([json.loads(path.read_text()) for path in arguments.results], arguments)
    if not arguments.write:
        print(made["training"])
        return 0
    return write(arguments.write, made)


if __name__ == "__main__":
    sys.exit(main())
