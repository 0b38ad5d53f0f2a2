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
sys.path.insert(0, str(HERE.parent / "serving"))
import run as serving  # noqa: E402


class Recommendations(serving.Service):
    """What deploy/serving starts and keeps up, with other servers and without a database."""

    def __init__(self, arguments, folder):
        arguments.registry = arguments.model
        super().__init__(arguments, folder)

    def start(self):
        for name in serving.NAMES:
            self.start_server(name)
        for name in serving.NAMES:
            self.wait_for(name)
        self.start_proxy()

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


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="What follows -- are "
                                     "further options of tandem recommend serve, as in -- --config FILE.")
    parser.add_argument("--model", required=True, metavar="FILE|REPOSITORY/NAME")
    parser.add_argument("--items", metavar="FILE")
    parser.add_argument("--history", metavar="FILE", help="what viewers begin with, on both servers")
    parser.add_argument("--folder", required=True, help="for journals, logs and sockets")
    parser.add_argument("--https", default="127.0.0.1:8443", metavar="ADDRESS:PORT")
    parser.add_argument("--http", metavar="ADDRESS:PORT", help="the same without TLS; for this machine")
    parser.add_argument("--certificate", metavar="PEM", help="certificate, chain and key in one file")
    parser.add_argument("--tokens", metavar="FILE", help="of the servers (docs/http.md)")
    parser.add_argument("--tandem", default=str(HERE.parents[1] / "build/release/apps/tandem"))
    parser.add_argument("--requests-per-10-s", type=int, default=100_000, metavar="N",
                        help="of one address; more are answered with 429 (default: 100000)")
    parser.add_argument("--connections-per-client", type=int, default=1_000, metavar="N")
    parser.add_argument("--answer-ms", type=int, default=2_000, metavar="N",
                        help="time for an answer until the other server is asked (default: 2000)")
    parser.add_argument("--restart-after", type=float, default=1, metavar="SECONDS",
                        help="until a server that ended is started again (default: 1)")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS",
                        help="for what starts to answer (default: 60)")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:at])
    arguments.options = words[at + 1:]
    arguments.repository = arguments.folder
    return arguments


if __name__ == "__main__":
    # The program is that of serving, told about other servers, another configuration of HAProxy's and
    # other backends in it.
    serving.HERE = HERE
    serving.BACKENDS = ("again", "once", "anybody")
    serving.Service = Recommendations
    serving.read_arguments = parse
    sys.exit(serving.main())
