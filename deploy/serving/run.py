#!/usr/bin/env python3
"""Two servers of Tandem behind HAProxy, with the registry in PostgreSQL, on this machine.

    deploy/serving/run.py REPOSITORY [--model NAME=FILE]... [--https ADDRESS:PORT]

Prints `ready https://... registry postgresql://...` once it answers, and then keeps it up: what ends
by itself is started again. SIGTERM and SIGINT end it with status 0 when what was under way is
answered, SIGHUP has tokens, logs and the certificate read anew, and SIGUSR1 starts the servers again
one after the other, as after an update, without a request that fails. docs/deploy.md has the rest.

Needs Debian's packages haproxy, postgresql and openssl.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent.absolute()
sys.path[:0] = [str(HERE), str(HERE.parent)]
from pair import Pair, add_pair_arguments, keep  # noqa: E402
from postgres import Postgres  # noqa: E402
from service import parse  # noqa: E402


class Serving(Pair):
    backends = ("again", "once")

    def __init__(self, arguments, folder):
        super().__init__(arguments, folder, HERE / "haproxy.cfg")
        self.postgres = None
        self.url = arguments.registry

    def registry(self):
        return self.url

    def start(self):
        if not self.url:
            self.postgres = Postgres(self.folder / "postgres")
            self.postgres.start()
            self.url = self.postgres.url
        for model in self.arguments.model:
            self.register(model)
        super().start()

    def register(self, model):
        """A model that the registry has no version of, straight into production."""
        name, _, file = model.partition("=")
        tandem = [self.arguments.tandem, "models"]
        common = ["--registry", self.url, "--json"]
        listed = subprocess.run([*tandem, "list", self.arguments.repository, name, *common],
                                capture_output=True, text=True, check=False)
        if listed.returncode == 0 and '"version"' in listed.stdout:
            return
        made = subprocess.run([*tandem, "register", self.arguments.repository, name, file, "--stage",
                               "production", *common], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise RuntimeError(made.stderr.strip())

    def start_server(self, name):
        tokens = ["--tokens", self.arguments.tokens] if self.arguments.tokens else []
        log = self.folder / f"{name}.log"
        self.servers[name] = subprocess.Popen(
            [self.arguments.tandem, "serve", self.arguments.repository, "--registry", self.url,
             "--http", f"127.0.0.1:{self.ports[name]}", "--log", str(log), *tokens,
             *self.arguments.options],
            stdout=subprocess.DEVNULL, stderr=open(self.folder / f"{name}.errors", "ab"))

    def keep_up(self):
        super().keep_up()
        if self.postgres and self.postgres.process.poll() is not None:
            self.again.start("PostgreSQL", self.postgres.start)

    def stop(self):
        """The registry last."""
        well = super().stop()
        if self.postgres is not None:
            self.postgres.stop()
        return well


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repository")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE",
                        help="a model for production, where the registry has none of that name")
    parser.add_argument("--registry", metavar="URL", help="a PostgreSQL that is there already")
    parser.add_argument("--folder", help="for data, logs and sockets; REPOSITORY.service if left out")
    add_pair_arguments(parser, "a prediction")
    arguments = parse(parser, "tandem serve")
    pathlib.Path(arguments.repository).mkdir(parents=True, exist_ok=True)
    return keep(lambda folder: Serving(arguments, folder),
                pathlib.Path(arguments.folder or str(pathlib.Path(arguments.repository)) + ".service"))


if __name__ == "__main__":
    sys.exit(main())
