#!/usr/bin/env python3
"""Recall and false alarms of the checker on planted bugs.

    check_table.py PROGRAMS SOFTGPU [--sources FOLDER] [--only PATTERN] [--seed N] [--plain]
                   [--jobs N] [--json FILE]

PROGRAMS is the folder with the programs built from tests/softgpu/check/*.cu, SOFTGPU the one with the
software GPU's libcudart.so.13. Each case of each program is run twice under the checker
(SOFTGPU_CHECK=1): its wrong version, in which a finding of the expected kind has to be, and its
corrected twin, which has to run without any finding, notices included.

The table has, for each kind of bug: the cases, how many were found, in how many of those a line that
the source marks with `// BUG` was named (of those whose finding names a line of the source), and how
many twins have a finding. Below it stand the cases that were missed, those where another line was
named, and the false alarms. `--plain` adds the number of wrong versions about which the software GPU
says something without the checker: a fault, a notice, or a call that it refuses.

Ends with 1 where a case is missed that is not in KNOWN_MISSED, or where a twin has a finding, fails or
runs too long; with 2 for wrong usage.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Cases that the checker is known not to find, each with the reason. They are run and counted like the
# others; being missed is no failure of the test.
KNOWN_MISSED: dict[str, str] = {
    "mixed/local_array_into_next": "arrays of a thread are not told apart",
    "mixed/locks_in_two_orders": "the blocks have to take their first locks before either takes its second",
    "patterns/ring_without_space_check": "under seed 7 all is written before any is read, in an order that flags make",
    "races_async/source_written": "the copy may still read the source, which is not followed",
    "races_cluster/remote_arrival_of_block_scope": "scopes of mbarrier arrivals are not followed",
    "races_global/atomics_of_two_sizes": "strong accesses of different sizes count as strong together",
    "races_stream/memset_in_the_default_stream": "a set with nothing before it counts as done when the host goes on",
    "races_stream/allocated_in_another_stream": "memory is given out when it is asked for, not in the order of the stream",
    "reported/wmma_store": "which lanes store which part of a fragment is not documented",
    "uninitialised/managed_never_written": "managed memory counts as written by the host",
}

# A run is ended after this many seconds; a kernel that waits for ever is ended by the software GPU
# well before.
PROCESS_LIMIT = 60
KERNEL_LIMIT = 30


class Case:
    def __init__(self, program, name, kinds):
        self.program, self.name, self.kinds = program, name, kinds

    @property
    def full_name(self):
        return f"{self.program.stem}/{self.name}"


class Program:
    """A program of planted bugs with its source: what is special about it, and its faulty lines."""

    def __init__(self, source, folder):
        self.stem = source.stem
        self.source = source.name
        self.path = folder / source.stem
        text = source.read_text().splitlines()
        self.environment = dict(
            line[len("// env: ") :].strip().split("=", 1)
            for line in text[:40]
            if line.startswith("// env: ")
        )
        self.bug_lines = {n for n, line in enumerate(text, 1) if re.search(r"// BUG\b", line)}


def usage_error(message):
    print(f"check_table.py: {message}", file=sys.stderr)
    sys.exit(2)


def run(program, arguments, environment, limit=PROCESS_LIMIT):
    """(exit status, or None where it ran too long; output)."""
    try:
        done = subprocess.run(
            [str(program.path), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
        )
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode(errors="replace")


def places(finding):
    """File names and lines that a finding gives: of both accesses, with what they were inlined into."""
    found = []

    def collect(value):
        if isinstance(value, dict):
            if isinstance(value.get("file"), str) and isinstance(value.get("line"), int):
                found.append((os.path.basename(value["file"]), value["line"]))
            # "a.cuh:12 (inlined at b.cu:30), PTX line 7": the callers are right as well.
            for file, line in re.findall(r"([^\s:/]+):(\d+)", value.get("place") or ""):
                found.append((file, int(line)))
            for member in value.values():
                collect(member)
        elif isinstance(value, list):
            for member in value:
                collect(member)

    collect(finding.get("at"))
    collect(finding.get("other"))
    return found


def checked(case, version, options):
    """One run under the checker: a dictionary with what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "findings.json"
        environment = {
            **options.environment,
            **case.program.environment,
            "SOFTGPU_CHECK": "1",
            "SOFTGPU_CHECK_JSON": str(report),
            "SOFTGPU_TIME_LIMIT": str(KERNEL_LIMIT),
        }
        if options.seed is not None:
            environment["SOFTGPU_SEED"] = str(options.seed)
        status, output = run(case.program, [case.name, version], environment)
        result = {"status": status, "findings": [], "problem": None}
        if status is None:
            result["problem"] = f"ran longer than {PROCESS_LIMIT} seconds"
        elif not report.exists():
            result["problem"] = f"wrote no findings (status {status}): {output.strip()[-300:]}"
        else:
            try:
                result["findings"] = json.loads(report.read_text())["findings"]
            except (ValueError, KeyError, TypeError) as error:
                result["problem"] = f"its findings are not as expected: {error!r}"
        if version == "good" and result["problem"] is None and status != 0:
            # With findings the status says so, and they are what counts.
            if not result["findings"]:
                result["problem"] = f"ended with {status}: {output.strip()[-300:]}"
        return result


def says_something_unchecked(case, options):
    environment = {
        **options.environment,
        **case.program.environment,
        "SOFTGPU_TIME_LIMIT": str(KERNEL_LIMIT),
    }
    status, output = run(case.program, [case.name, "bad"], environment)
    return status is None or "softgpu:" in output


def judge_bad(case, result):
    """Sets found, line ("right", "another", "none") and also (other kinds that were reported)."""
    expected = set(case.kinds)
    matching = [f for f in result["findings"] if f.get("kind") in expected]
    if expected == {"same-value-race"}:
        # A notice, and no more.
        result["found"] = bool(matching) and all(f.get("severity") == "notice" for f in matching)
        result["found"] &= not any(f.get("kind") == "race" for f in result["findings"])
    else:
        result["found"] = bool(matching)
    of_source = {
        line for f in matching for file, line in places(f) if file == case.program.source
    }
    if not of_source:
        result["line"] = "none"
    else:
        result["line"] = "right" if of_source & case.program.bug_lines else "another"
    result["lines"] = sorted(of_source)
    result["also"] = sorted({f.get("kind") for f in result["findings"]} - expected)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("programs", type=pathlib.Path, help="folder of the built programs")
    parser.add_argument("softgpu", type=pathlib.Path, help="folder with libcudart.so.13")
    parser.add_argument("--sources", type=pathlib.Path, default=pathlib.Path(__file__).parent / "check")
    parser.add_argument("--only", default="*", help="pattern of cases, as `races_*/lock*`")
    parser.add_argument("--seed", type=int, help="a schedule seed for all runs")
    parser.add_argument("--plain", action="store_true", help="compare with runs without the checker")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=pathlib.Path, help="writes all results")
    options = parser.parse_args()
    if not (options.softgpu / "libcudart.so.13").exists():
        usage_error(f"there is no libcudart.so.13 in {options.softgpu}; build softgpu_cudart")
    options.environment = {k: v for k, v in os.environ.items() if not k.startswith("SOFTGPU_")}
    options.environment["LD_LIBRARY_PATH"] = str(options.softgpu)
    return options


def all_cases(options):
    cases = []
    for source in sorted(options.sources.glob("*.cu")):
        program = Program(source, options.programs)
        if not program.path.exists():
            usage_error(f"{program.path} is not there; build softgpu_check_programs")
        status, output = run(program, ["list"], {**options.environment, **program.environment})
        if status != 0:
            usage_error(f"`{program.path} list` ended with {status}: {output.strip()}")
        for line in output.splitlines():
            name, kinds = line.split("\t")
            cases.append(Case(program, name, kinds.split("|")))
    chosen = [case for case in cases if fnmatch.fnmatch(case.full_name, options.only)]
    if not chosen:
        usage_error(f"no case is called '{options.only}'; names are as {cases[0].full_name}")
    unknown = set(KNOWN_MISSED) - {case.full_name for case in cases}
    if unknown:
        usage_error(f"KNOWN_MISSED names cases that are not there: {', '.join(sorted(unknown))}")
    return chosen


def print_table(cases, results, options):
    kinds = {}
    for case in cases:
        kinds.setdefault(case.kinds[0], []).append(case)
    plain = " without the checker" if options.plain else ""
    print(f"{'kind':<20} {'cases':>6} {'found':>6} {'line right':>11} {'false alarms':>13}{plain}")
    rows = [(kind, kinds[kind]) for kind in sorted(kinds)] + [("all", cases)]
    for kind, members in rows:
        bad = [results[case.full_name]["bad"] for case in members]
        good = [results[case.full_name]["good"] for case in members]
        found = [r for r in bad if r["found"]]
        right = sum(r["line"] == "right" for r in found)
        named = sum(r["line"] != "none" for r in found)
        alarms = sum(bool(r["findings"]) for r in good)
        row = f"{kind:<20} {len(members):>6} {len(found):>6} {f'{right} of {named}':>11} {alarms:>13}"
        if options.plain:
            row += f" {sum(results[case.full_name]['plain'] for case in members):>19}"
        print(row)


def print_cases(cases, results):
    """The cases that went wrong. Returns the number of those that make the test fail."""
    failed = 0
    for case in cases:
        bad, good = results[case.full_name]["bad"], results[case.full_name]["good"]
        if not bad["found"]:
            known = KNOWN_MISSED.get(case.full_name)
            failed += known is None
            why = bad["problem"] or (
                f"reported: {', '.join(bad['also'])}" if bad["also"] else "no finding"
            )
            print(
                f"missed: {case.full_name} ({'|'.join(case.kinds)}): {why}"
                + (f" [known: {known}]" if known else "")
            )
        elif case.full_name in KNOWN_MISSED:
            print(f"found, and can leave KNOWN_MISSED: {case.full_name}")
        elif bad["line"] == "another":
            print(f"another line: {case.full_name}: {case.program.source}:{bad['lines']}")
        if good["findings"]:
            failed += 1
            for finding in good["findings"]:
                at = finding.get("at") or {}
                print(
                    f"false alarm: {case.full_name}: {finding.get('severity')} {finding.get('kind')} "
                    f"at {os.path.basename(at.get('file') or '?')}:{at.get('line')}: "
                    f"{finding.get('message')}"
                )
        elif good["problem"]:
            failed += 1
            print(f"twin fails: {case.full_name}: {good['problem']}")
    return failed


def main():
    options = parse()
    cases = all_cases(options)
    results = {case.full_name: {"kinds": case.kinds} for case in cases}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {}
        for case in cases:
            for version in ("bad", "good"):
                running[pool.submit(checked, case, version, options)] = (case, version)
            if options.plain:
                running[pool.submit(says_something_unchecked, case, options)] = (case, "plain")
        for future in concurrent.futures.as_completed(running):
            case, what = running[future]
            results[case.full_name][what] = future.result()
    for case in cases:
        judge_bad(case, results[case.full_name]["bad"])
    print_table(cases, results, options)
    print()
    failed = print_cases(cases, results)
    if options.json:
        options.json.write_text(json.dumps({"cases": results}, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
