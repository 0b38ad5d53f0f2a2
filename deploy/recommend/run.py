#!/usr/bin/env python3
"""Two servers of recommendations behind HAProxy, parted by viewer, on this machine.

    deploy/recommend/run.py --model FILE|REPOSITORY/NAME --folder FOLDER [--items FILE] [--history FILE]

Prints `ready https://... registry MODEL` once it answers, and then keeps it up: what ends by itself is
started again, and finds in its journal what it had acknowledged. SIGTERM and SIGINT end it with status 0
when what was under way is answered, SIGHUP has models, items, tokens, logs and the certificate read
anew, and SIGUSR1 starts the servers again one after the other. docs/deploy.md has the rest.

Needs Debian's packages haproxy and openssl.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent.absolute()
sys.path.insert(0, str(HERE.parent))
from pair import Pair, add_pair_arguments, keep  # noqa: E402
from service import parse  # noqa: E402


class Recommendations(Pair):
    backends = ("again", "once", "anybody", "again_not_ready", "once_not_ready")

    def __init__(self, arguments, folder):
        super().__init__(arguments, folder, HERE / "haproxy.cfg")

    def registry(self):
        return self.arguments.model

    def start_server(self, name):
        given = []
        for option in ("items", "history", "tokens"):
            if getattr(self.arguments, option):
                given += [f"--{option}", getattr(self.arguments, option)]
        self.servers[name] = subprocess.Popen(
            [str(word) for word in [
                self.arguments.tandem, "recommend", "serve", "--model", self.arguments.model, "--state",
                self.folder / f"{name}.state", "--http", f"127.0.0.1:{self.ports[name]}", "--log",
                self.folder / f"{name}.log", *given, *self.arguments.options]],
            stdout=subprocess.DEVNULL, stderr=open(self.folder / f"{name}.errors", "ab"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, metavar="FILE|REPOSITORY/NAME")
    parser.add_argument("--items", metavar="FILE")
    parser.add_argument("--history", metavar="FILE", help="what viewers begin with, on both servers")
    parser.add_argument("--folder", required=True, help="for journals, logs and sockets")
    add_pair_arguments(parser, "an answer")
    arguments = parse(parser, "tandem recommend serve")
    return keep(lambda folder: Recommendations(arguments, folder), pathlib.Path(arguments.folder))


if __name__ == "__main__":
    sys.exit(main())
