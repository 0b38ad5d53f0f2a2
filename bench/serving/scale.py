#!/usr/bin/env python3
"""Reckons what a billion answers a day take, from what load.py and proxied.py have measured.

    python3 bench/serving/scale.py FOLDER [--answers 1e9] [--peak 3] [--busy 0.5] [--write docs/scale.md]

FOLDER has load.json and proxied.json. With --write the tables take the place of those in the page,
between <!-- measured: NAME --> and <!-- end -->; else they are printed.
"""

import argparse
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from page_tables import number, table, write  # noqa: E402

DAY = 86_400
MONTH_MINUTES = 30 * 24 * 60


def reckon(load, proxied, arguments):
    mean = arguments.answers / DAY
    peak = mean * arguments.peak
    cheap, dear = (choose(load["rates"], key=lambda one: one["server_us_per_answer"])
                   for choose in (min, max))
    in_bytes, out_bytes = load["request_bytes"], load["answer_bytes"]
    idle = load["idle"]
    per_connection = (idle["resident_kb"] - idle["resident_kb_before"]) / idle["connections"]

    def cores(us):
        return number(mean * us * 1e-6, 2), number(peak * us * 1e-6, 2), math.ceil(
            peak * us * 1e-6 / arguments.busy)
    rows = [["answers a second", number(mean, 0), number(peak, 0), "", ""]]
    for what, us in [
            ("tandem, cheapest (at " + number(cheap["asked_per_second"], 0) + " a second)",
             cheap["server_us_per_answer"]),
            ("tandem, dearest (at " + number(dear["asked_per_second"], 0) + " a second)",
             dear["server_us_per_answer"]),
            ("HAProxy, TLS, connections kept", proxied["tls"]["haproxy_us_per_answer"]),
            ("HAProxy, TLS, a connection for each request",
             proxied["tls_connection_each"]["haproxy_us_per_answer"])]:
        of_mean, of_peak, needed = cores(us)
        rows.append([f"{what}: {number(us)} µs", of_mean, of_peak, needed, "cores"])
    rows.append([f"network in: {in_bytes} bytes a request", number(mean * in_bytes * 8e-6, 0),
                 number(peak * in_bytes * 8e-6, 0), "", "Mbit/s"])
    rows.append([f"network out: {out_bytes} bytes an answer", number(mean * out_bytes * 8e-6, 0),
                 number(peak * out_bytes * 8e-6, 0), "", "Mbit/s"])
    rows.append([f"memory of a server with the model and 64 connections, and {per_connection:.1f} KiB for "
                 "each idle one", "", "", number(idle["resident_kb_before"] / 1024, 0), "MB"])
    cost = table(["what", f"mean of {arguments.answers:,.0f} a day", f"peak, {arguments.peak:g} times the mean",
                  f"at most {100 * arguments.busy:.0f} % busy at the peak", ""], rows)

    budget = 0.001 * MONTH_MINUTES
    start = load["ready_seconds"]
    killed = load["restart_after_kill_seconds"]
    promoted = load["promotions"]
    lost = promoted["load"]["broken"] + promoted["load"]["late"]
    rows = [
        ["kill -9 of the only server, started at once", f"{killed} s", f"{60 * budget / killed:,.0f}"],
        ["the same, a service manager that waits a second", f"{killed + 1:.2f} s",
         f"{60 * budget / (killed + 1):,.0f}"],
        ["a start with a model that is there", f"{start} s", f"{60 * budget / start:,.0f}"],
        [f"a promotion ({promoted['count']:,} under load: {lost} requests failed)",
         "0 s" if lost == 0 else "see the load table", "without limit" if lost == 0 else ""]]
    availability = table(["what", "without service", f"so many fit into {budget:.0f} minutes a month"], rows)
    return {"cost": cost, "availability": availability}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--answers", type=float, default=1e9)
    parser.add_argument("--peak", type=float, default=3)
    parser.add_argument("--busy", type=float, default=0.5)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    made = reckon(json.loads((arguments.folder / "load.json").read_text()),
                  json.loads((arguments.folder / "proxied.json").read_text()), arguments)
    if not arguments.write:
        print("\n\n".join(made.values()))
        return 0
    return write(arguments.write, made)


if __name__ == "__main__":
    sys.exit(main())
