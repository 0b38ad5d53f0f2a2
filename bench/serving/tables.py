#!/usr/bin/env python3
"""The tables of docs/serving.md from what load.py, compare.py and faults.py have written as JSON.

    python3 bench/serving/tables.py FOLDER [--write docs/serving.md]

FOLDER has load.json, compare.json and faults.json; one that is missing leaves its tables as they are.
With --write they take the place of those in the page, between <!-- measured: NAME --> and <!-- end -->;
else they are printed.
"""

import argparse
import json
import pathlib
import sys

from load import kept

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from page_tables import number, table, write  # noqa: E402


def machine_line(found):
    one = found.get("machine", {})
    return (f"Measured on {one.get('cores', '?')} cores of {one.get('processor', '?')}, with "
            f"{one.get('load_before', '?')} other runnable programs on average when it began.")


def of_load(found):
    rows = [(number(one["asked_per_second"], 0), number(one["answered_per_second"], 0),
             number(one["server_us_per_answer"]), number(one["generator_us_per_answer"]),
             number(one["p50_ms"], 2), number(one["p99_ms"], 2), "yes" if kept(one) else "no")
            for one in found["rates"]]
    text = table(["asked a second", "answered a second", "server, µs of processor time per answer",
                  "generator, µs", "p50, ms", "p99, ms", "kept"], rows)
    best = [one for one in found["rates"] if kept(one)] or found["rates"][-1:]
    parts = max(best, key=lambda one: one["asked_per_second"])
    order = ["socket", "http", "parse", "queue", "predict", "write", "other"]
    second = table(["µs per answer at " + number(parts["asked_per_second"], 0) + " a second", *order,
                    "(wait in the queue)"],
                   [["processor time"] + [number(parts["parts_us"][name], 2) for name in order] +
                    [number(parts["parts_us"]["queue_wait"], 0)]])
    promoted, idle = found["promotions"], found["idle"]
    load = promoted["load"]
    third = table(
        ["beside 1,000 requests a second", "requests", "failed", "wrong", "p99, ms", ""],
        [[f"{promoted['count']:,} promotions", f"{load['asked']:,}", load["broken"] + load["late"] +
          sum(count for status, count in load["status"].items() if status != "200"), load["wrong"],
          number(load["p99_ms"]), f"{1e3 * promoted['seconds'] / promoted['count']:.0f} ms each, reading "
          "and checking the file included"],
         [f"{idle['connections']:,} idle connections", f"{idle['load']['asked']:,}",
          idle["load"]["broken"] + idle["load"]["late"], idle["load"]["wrong"],
          number(idle["load"]["p99_ms"]), f"{idle['resident_kb'] / 1024:.0f} MB of memory in all"],
         ["kill -9 and a new start", "", "", "", "",
          f"answers again after {found['restart_after_kill_seconds']} s"]])
    return machine_line(found) + "\n\n" + "\n\n".join([text, second, third])


def of_watching(found):
    names = {"off": "no watch (`--drift-rows 0`)", "on": "drift is watched for",
             "asked": f"and `/v1/drift` is asked {1 / found['asked_every_s']:.0f} times a second"}

    def middle(name, key):
        values = sorted(one[key] for one in found["loads"][name])
        return values[len(values) // 2]
    rows = [[names[name], number(middle(name, "answered_per_second"), 0),
             number(middle(name, "server_us_per_answer")), number(middle(name, "p50_ms"), 2),
             number(middle(name, "p99_ms"), 2)] for name in names]
    slowest = max(one["slowest_answer_of_drift_ms"] for one in found["loads"]["asked"])
    return machine_line(found) + "\n\n" + table([f"{found['rate']:,} requests a second", "answered a second",
                  "server, µs of processor time per answer", "p50, ms", "p99, ms"], rows) + (
        f"\n\nMedians of {len(found['loads']['on'])} runs in turn, in which {found['windows']:,} windows were "
        f"judged and {found['unwatched']:.0f} requests were not watched. An answer of `/v1/drift` "
        f"({found['drift_bytes'] / 1024:.0f} KiB) takes {number(found['drift_us'], 0)} µs of the server's "
        f"processor time, over a connection of its own, beside {number(found['live_us'], 0)} µs of "
        f"`/v2/health/live`; the slowest under load came after {number(slowest)} ms.")


def of_comparison(found):
    ours = found["servers"]["tandem"]["closed"]
    rows = []
    for name, one in found["servers"].items():
        good = [rate for rate in one["rates"] if rate["kept"]]
        most = max(good, key=lambda rate: rate["asked_per_second"]) if good else None
        closed = one["closed"]
        rows.append([name, number(closed["server_us_per_answer"]),
                     number(closed["server_us_per_answer"] / ours["server_us_per_answer"], 2),
                     number(closed["answered_per_second"], 0),
                     number(most["asked_per_second"], 0) if most else "none",
                     number(most["p99_ms"], 2) if most else ""])
    text = table(["server", "µs of processor time per answer, closed loop of 32", "ratio to tandem",
                  "answers a second there", "highest of the asked rates kept", "p99 there, ms"], rows)
    if "left_out" in found:
        text += "\n\nLeft out: " + found["left_out"] + "."
    checks = [[what, tool, number(one["answered_per_second"], 0), number(one["p50_ms"], 3),
               number(one["p99_ms"], 3)]
              for what, pair in found["generator"].items() for tool, one in pair.items()]
    return text, table(["what", "tool", "answers a second", "p50, ms", "p99, ms"], checks)


def of_faults(found):
    rows = []
    for name, one in found.items():
        if name == "machine":
            continue
        if "skipped" in one or "failed" in one and "asked" not in one:
            rows.append([one["what"], "", "", "", "", one.get("skipped") or one["failed"]])
            continue
        parts = [(one["what"], one)]
        if "kill" in one:  # of proxied
            parts = [("behind HAProxy: one of two servers killed (`kill -9`)", one["kill"]),
                     ("behind HAProxy: one of two stopped for two seconds", one["stop"]),
                     ("behind HAProxy: both started again in turn", one["restart"])]
        for what, part in parts:
            besides = ", ".join(f"{key.removesuffix('_s').removesuffix('_mb').replace('_', ' ')} {value}" +
                                (" s" if key.endswith("_s") else " MB" if key.endswith("_mb") else "")
                                for key, value in part.items() if not isinstance(value, dict) and key not in (
                                    "what", "asked", "failed", "wrong", "availability", "recovered_s",
                                    "p99_ms"))
            rows.append([what, f"{part['asked']:,}", f"{part['failed']:,}",
                         f"{100 * part['availability']:.2f} %",
                         f"{part['recovered_s']} s" if "recovered_s" in part else "", besides])
    return table(["what was done", "asked", "failed", "available", "recovered after", "besides"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    made = {}

    def read(name):
        path = arguments.folder / f"{name}.json"
        text = path.read_text() if path.exists() else ""
        return json.loads(text) if text.strip() else None
    if found := read("load"):
        if "rates" in found:
            made["load"] = of_load(found)
        if "watching" in found:
            made["watching"] = of_watching(found["watching"])
    if found := read("compare"):
        made["comparison"], made["generator"] = of_comparison(found)
    if found := read("faults"):
        made["faults"] = of_faults(found)
    if not arguments.write:
        print("\n\n".join(made.values()))
        return 0
    return write(arguments.write, made)


if __name__ == "__main__":
    sys.exit(main())
