#!/usr/bin/env python3
"""What HAProxy costs before two servers (deploy/serving/run.py): processor time per answer without TLS,
with it over connections that are kept, and with a connection of its own for every request.

    python3 bench/serving/proxied.py [--build build/release] [--seconds 4] [--json]

Needs haproxy, postgresql and h2load (Debian: nghttp2-client); says so and ends with status 77 where one
is missing.
"""

import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from served import PATH, TICKS, Server, load, machine, make_models

HERE = pathlib.Path(__file__).parent.absolute()


def family(pid):
    """A process and all that it has started, with their names."""
    found = [(pid, pathlib.Path(f"/proc/{pid}/comm").read_text().strip())]
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True,
                            check=False).stdout.split()
    for child in map(int, listed):
        if pathlib.Path(f"/proc/{child}/comm").exists():
            found += family(child)
    return found


def spent(pids):
    seconds = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def by_h2load(url, body, pids, *options):
    before = {name: spent(of) for name, of in pids.items()}
    text = subprocess.run(["h2load", "--h1", "-t1", "-H", "Content-Type: application/json", f"-d{body}",
                           *options, url + PATH], capture_output=True, text=True, check=True).stdout
    done = int(text.split("status codes: ")[1].split(" 2xx")[0])
    if done == 0:
        raise SystemExit(f"h2load was not answered:\n{text}")
    return {"answers": done} | {f"{name}_us_per_answer": round(1e6 * (spent(of) - before[name]) / done, 1)
                                for name, of in pids.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build" / "release")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("h2load"):
        print("skipped: h2load is not installed (Debian: nghttp2-client)", file=sys.stderr)
        return 77
    found = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="tandem-proxied-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o711)
        _, body, _ = make_models(arguments.build / "apps/tandem", folder, 300, 6, versions=1)
        log = folder / "log"
        try:
            run = Server(sys.executable, HERE.parents[1] / "deploy/serving/run.py", folder / "deployed",
                         "--tandem", arguments.build / "apps/tandem", "--model",
                         f"m={folder / '1.tandem'}", "--folder", folder / "s", "--https", "127.0.0.1:0",
                         "--http", "127.0.0.1:0", "--requests-per-10-s", 10**8, log=log)
        except SystemExit:
            print("skipped: " + log.read_text().strip(), file=sys.stderr)
            return 77
        try:
            https = run.url
            run.url = run.line.split()[2]
            everything = family(run.pid)
            pids = {kind: [pid for pid, name in everything if name == kind]
                    for kind in ("haproxy", "tandem")}
            # The generator's own count is of run.py and its children, which do not answer.
            before = {name: spent(of) for name, of in pids.items()}
            plain = load(arguments.build / "bench/serving/open_loop", run, body, 4000, arguments.seconds)
            found["plain"] = {"answers": plain["answered"], "p99_ms": plain["p99_ms"]} | {
                f"{name}_us_per_answer": round(1e6 * (spent(of) - before[name]) / plain["answered"], 1)
                for name, of in pids.items()}
            found["tls"] = by_h2load(https, body, pids, "-c64", f"-D{arguments.seconds}")
            found["tls_connection_each"] = by_h2load(https, body, pids, "-c400", "-n400")
        finally:
            run.stop(signal.SIGTERM)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for name, one in found.items():
            print(name, one)
    return 0


if __name__ == "__main__":
    sys.exit(main())
