#!/usr/bin/env python3
"""Does to `tandem serve` what machines and people do, and prints what came of it.

    python3 tests/serving/faults.py [--tandem PROGRAM] [--build FOLDER] [--only NAME,...] [--short]
        [--json]

Each fault is done to servers of its own under a load whose every answer is compared with what `tandem
predict` says of the version that it names, and while versions are promoted; where an answer is wrong,
or a change that was acknowledged is not there afterwards, it ends with status 1. `availability` is the
part of the requests that was answered rightly within a second, over the seconds of the whole run;
`recovered_s` the time from the end of the fault (for a kill: from the kill) to the last request that
failed. A fault that needs what is not here (root, HAProxy, PostgreSQL) is skipped and says so; where
only skipped ones were asked for, the status is 77.
"""

import argparse
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).parent.absolute()
ROOT = HERE.parents[1]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    build = ROOT / "build" / "release"
    parser.add_argument("--build", default=str(build))
    parser.add_argument("--tandem")
    parser.add_argument("--only", default="")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    set_default = os.environ.setdefault
    if arguments.short:
        set_default("TANDEM_FAULTS_SHORT", "1")
    set_default("TANDEM_PROGRAM", arguments.tandem or f"{arguments.build}/apps/tandem")
    set_default("TANDEM_DATA_DIR", str(ROOT / "data"))
    set_default("TANDEM_GENERATOR", f"{arguments.build}/bench/serving/open_loop")
    set_default("TANDEM_CLOCK_STEP_LIBRARY", f"{arguments.build}/tests/serving/libtandem_clock_step.so")
    return arguments


ARGUMENTS = parse() if __name__ == "__main__" else None
sys.path[:0] = [str(HERE), str(ROOT / "deploy" / "serving")]

import fault_clients as clients  # noqa: E402
import fault_databases as databases  # noqa: E402
from fault_tools import (Changes, Load, Outcomes, Place, Skipped, logged_rows,  # noqa: E402
                         sqlite_outcomes, sqlite_transitions, until)
from ports import free_port  # noqa: E402
from server import tandem  # noqa: E402


def kill(folder, short):
    """kill -9, and a new start at once, again and again"""
    place = Place(folder)
    log = ("--prediction-log", place.folder / "log")
    # Which no other program's connection can have taken when it is started again.
    server = place.serve(*log, http=f"127.0.0.1:{free_port()}")
    place.know_answers(server)
    current = [server]
    seconds, times = (4, 2) if short else (20, 12)
    load = Load(place, server.url, seconds)
    changes, outcomes = Changes(lambda: current[0]), Outcomes(lambda: current[0])
    killed, starts = [], []
    for _ in range(times):
        time.sleep((seconds - 1) / times - (0.3 if short else 0.5))
        killed.append(time.monotonic())
        current[0].stop(signal.SIGKILL)
        current[0] = place.serve(*log, http=server.host)
        starts.append(time.monotonic() - killed[-1])
    result = load.end()
    changes.end()
    outcomes.end()
    assert current[0].stop() == 0
    changes.check(sqlite_transitions(place.repository))
    outcomes.check(sqlite_outcomes(place.repository))
    # What was answered since the last second's end may be lost to the log; nothing is made up.
    answered, logged = sum(result.good), logged_rows(place.folder / "log")
    assert 0 < logged <= result.asked + 2, (answered, logged)
    return result.figures(kills=times, start_s=round(sorted(starts)[times // 2], 3),
                          recovered_s=round(result.recovered(killed[-1]), 2),
                          acknowledged=changes.acknowledged, outcomes=outcomes.acknowledged,
                          not_in_the_log=max(0, answered - logged))


def stopped(folder, short):
    """SIGSTOP, and SIGCONT two seconds later"""
    place = Place(folder)
    server = place.serve()
    place.know_answers(server)
    load = Load(place, server.url, 3.5 if short else 8)
    changes, outcomes = Changes(lambda: server), Outcomes(lambda: server)
    time.sleep(0.5)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1 if short else 2)
    server.process.send_signal(signal.SIGCONT)
    since = time.monotonic()
    result = load.end().none_failed()
    changes.end()
    outcomes.end()
    assert server.stop() == 0
    changes.check(sqlite_transitions(place.repository))
    outcomes.check(sqlite_outcomes(place.repository))
    return result.figures(recovered_s=round(result.recovered(since), 2),
                          acknowledged=changes.acknowledged,
                          outcomes=outcomes.acknowledged)


def full_disk(folder, short):
    """the disk with repository, registry and log full for a while"""
    repository = pathlib.Path(folder) / "disk"
    repository.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tandem-fault", str(repository)],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise Skipped(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    try:
        place = Place(folder, repository)
        server = place.serve("--log", repository / "serve.log", "--log-level", "debug",
                             "--prediction-log", repository / "log")
        place.know_answers(server)
        load = Load(place, server.url, 4 if short else 10)
        changes, outcomes = Changes(lambda: server), Outcomes(lambda: server)
        time.sleep(0.3)
        filler = repository / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 512)
            except OSError:
                pass
        time.sleep(1 if short else 3)
        said = place.register(place.files[0], status=1)
        assert "space" in said.lower() or "full" in said.lower(), said
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        refused = changes.refused
        filler.unlink()
        since = time.monotonic()
        before = changes.acknowledged
        writes_again = until(lambda: changes.acknowledged > before)
        place.register(place.files[0])
        result = load.end().none_failed()
        changes.end()
        outcomes.end()
        rows = sqlite_transitions(repository)
        changes.check(rows)
        outcomes.check(sqlite_outcomes(repository))
        assert server.stop() == 0
        logged = logged_rows(repository / "log")
        assert logged <= sum(result.good) + 2, (logged, result.found)
        server = place.serve()  # from what was written in all this
        listed = json.loads(tandem("models", "list", repository, "--json"))["versions"]
        assert [one["version"] for one in listed] == [1, 2, 3], listed
        assert server.stop() == 0
        return result.figures(recovered_s=round(result.recovered(since), 2),
                              changes_refused=refused, changes_again_s=round(writes_again, 2),
                              acknowledged=changes.acknowledged,
                              not_in_the_log=max(0, sum(result.good) - logged),
                              outcomes=outcomes.acknowledged)
    finally:
        subprocess.run(["umount", "--lazy", str(repository)], check=True)


def clock(folder, short):
    """the wall clock steps an hour back, a day on, and ten years back"""
    library = os.environ.get("TANDEM_CLOCK_STEP_LIBRARY", "")
    if not os.path.exists(library):
        raise Skipped("the library that steps the clock is not built")
    step = pathlib.Path(folder) / "step"
    step.write_bytes(struct.pack("q", 0))
    place = Place(folder)
    server = place.serve(environment={"LD_PRELOAD": library, "TANDEM_CLOCK_STEP": str(step)})
    place.know_answers(server)
    load = Load(place, server.url, 4 if short else 10)
    changes, outcomes = Changes(lambda: server), Outcomes(lambda: server)
    since = time.monotonic()
    for seconds in [-3600, 86400, -10 * 365 * 86400]:
        time.sleep(0.5 if short else 2)
        # In place: the file is mapped.
        with open(step, "r+b") as file:
            file.write(struct.pack("q", seconds * 10**9))
    result = load.end().none_failed()
    changes.end()
    outcomes.end()
    # The server has seen the steps.
    _, headers, _ = server.ask("GET", "/v2/health/live")
    assert str(time.gmtime(time.time() - 10 * 365 * 86400).tm_year) in headers["Date"], headers["Date"]
    assert server.stop() == 0
    changes.check(sqlite_transitions(place.repository))
    outcomes.check(sqlite_outcomes(place.repository))
    return result.figures(recovered_s=round(result.recovered(since), 2),
                          acknowledged=changes.acknowledged,
                          outcomes=outcomes.acknowledged)


FAULTS = {
    "kill": kill, "stopped": stopped, "full-disk": full_disk, "clock": clock,
    "slowloris": clients.slowloris, "half-requests": clients.half_requests,
    "gigabytes": clients.gigabytes, "idle": clients.idle,
    "postgres-stopped": databases.stopped, "postgres-delayed": databases.delayed,
    "postgres-silent": databases.silent, "postgres-cut": databases.cut, "proxied": clients.proxied,
}


def main():
    names = [name for name in ARGUMENTS.only.split(",") if name] or list(FAULTS)
    for name in names:
        if name not in FAULTS:
            print(f"faults.py: --only {name}: expected some of {', '.join(FAULTS)}", file=sys.stderr)
            return 2
    found, failed = {}, 0
    for name in names:
        with tempfile.TemporaryDirectory(prefix="tandem-fault-") as folder:
            what = " ".join(FAULTS[name].__doc__.split())
            try:
                figures = FAULTS[name](folder, ARGUMENTS.short)
            except Skipped as why:
                figures = {"skipped": str(why)}
            except Exception as why:  # the others are still wanted
                traceback.print_exc()
                figures = {"failed": str(why) or repr(why)}
                failed += 1
            found[name] = {"what": what, **figures}
        if not ARGUMENTS.json:
            print(f"{name} ({what})\n    " + ", ".join(f"{key} {value}" for key, value in
                                                      figures.items()), flush=True)
    if ARGUMENTS.json:
        print(json.dumps(found, indent=1))
    if failed:
        return 1
    return 77 if all("skipped" in one for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
