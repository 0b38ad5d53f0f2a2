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
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent.absolute()
sys.path[:0] = [str(HERE), str(HERE.parent)]
from postgres import Postgres  # noqa: E402
from service import (Again, Missing, Proxy, add_proxy_arguments, answers, end, free_port,  # noqa: E402
                     haproxy, parse, run, say, wait_until)

NAMES = ("one", "two")
BACKENDS = ("again", "once", "again_not_ready", "once_not_ready")


class Service:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.ports = {name: free_port() for name in NAMES}
        self.servers = {}
        self.ended_at = {}
        self.again = Again(arguments.restart_after)
        self.postgres = None
        self.registry = arguments.registry
        self.proxy = Proxy(folder, [HERE / "haproxy.cfg"], arguments.https, arguments.http,
                           arguments.certificate, arguments.patience)

    def start(self):
        if not self.registry:
            self.postgres = Postgres(self.folder / "postgres")
            self.postgres.start()
            self.registry = self.postgres.url
        for model in self.arguments.model:
            self.register(model)
        for name in NAMES:
            self.start_server(name)
        for name in NAMES:
            self.wait_for(name)
        self.start_proxy()

    def register(self, model):
        """A model that the registry has no version of, straight into production."""
        name, _, file = model.partition("=")
        tandem = [self.arguments.tandem, "models"]
        common = ["--registry", self.registry, "--json"]
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
            [self.arguments.tandem, "serve", self.arguments.repository, "--registry", self.registry,
             "--http", f"127.0.0.1:{self.ports[name]}", "--log", str(log), *tokens,
             *self.arguments.options],
            stdout=subprocess.DEVNULL, stderr=open(self.folder / f"{name}.errors", "ab"))

    def wait_for(self, name):
        until = time.monotonic() + self.arguments.patience
        while not answers(self.ports[name], "/v2/health/live"):
            if self.servers[name].poll() is not None or time.monotonic() > until:
                text = (self.folder / f"{name}.errors").read_text(errors="replace")
                raise RuntimeError(f"server {name} did not start: {text[-1000:].strip()}")
            time.sleep(0.05)

    def start_proxy(self):
        """Servers that are not ready are no reason to stay away."""
        self.proxy.start(
            {"TANDEM_ONE": f"127.0.0.1:{self.ports['one']}", "TANDEM_TWO": f"127.0.0.1:{self.ports['two']}",
             "TANDEM_REQUESTS_PER_10_S": str(self.arguments.requests_per_10_s),
             "TANDEM_CONNECTIONS_PER_CLIENT": str(self.arguments.connections_per_client),
             "TANDEM_ANSWER_MS": f"{self.arguments.answer_ms}ms"},
            lambda: all(self.proxy.state("again", name) for name in NAMES))

    def restart_in_turn(self):
        """Never without another server that is ready; what does not come back leaves the rest as it
        is, and is said."""
        try:
            for name in NAMES:
                self.restart(name)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
            say(f"the servers were not all started again: {why}")

    def restart(self, name):
        patience = self.arguments.patience
        for other in NAMES:
            wait_until(lambda: other == name or self.proxy.state("again", other) == "UP",
                       f"server {other} is not ready, so that server {name} was left as it was", patience)
        for backend in BACKENDS:
            self.proxy.tell(f"set server {backend}/{name} state drain")
        try:
            # What it was given is answered, and a moment more for what HAProxy is about to give it.
            time.sleep(0.3)
            wait_until(lambda: self.proxy.under_way(name) == 0,
                       f"server {name} does not answer what it was given", 60)
            end(self.servers[name])
            self.start_server(name)
            self.wait_for(name)
        finally:
            for backend in BACKENDS:
                self.proxy.tell(f"set server {backend}/{name} state ready")
        wait_until(lambda: self.proxy.state("again", name) == "UP",
                   f"server {name} is not ready; the others were left as they were", patience)
        say(f"server {name} was started again")

    def keep_up(self):
        """Starts again what has ended by itself, each at most once a second."""
        now = time.monotonic()
        for name in NAMES:
            status = self.servers[name].poll()
            if status is None:
                continue
            if name not in self.ended_at:
                say(f"server {name} ended with status {status}; it is started again")
                self.ended_at[name] = now
            if now - self.ended_at[name] >= self.arguments.restart_after:
                self.start_server(name)
                self.ended_at.pop(name)
        if self.postgres and self.postgres.process.poll() is not None:
            self.again.start("PostgreSQL", self.postgres.start)
        if self.proxy.ended():
            self.again.start("HAProxy", self.start_proxy)

    def reload(self):
        for server in self.servers.values():
            if server.poll() is None:
                server.send_signal(signal.SIGHUP)
        self.proxy.reload()

    def stop(self):
        """The proxy first, which lets no more in; the registry last. True where all ended well."""
        self.proxy.stop()
        statuses = [end(server) for server in self.servers.values()]
        if self.postgres is not None:
            self.postgres.stop()
        return all(status == 0 for status in statuses)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repository")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE",
                        help="a model for production, where the registry has none of that name")
    add_proxy_arguments(parser)
    parser.add_argument("--registry", metavar="URL", help="a PostgreSQL that is there already")
    parser.add_argument("--tokens", metavar="FILE", help="of the servers (docs/http.md)")
    parser.add_argument("--folder", help="for data, logs and sockets; REPOSITORY.service if left out")
    parser.add_argument("--tandem", default=str(HERE.parents[1] / "build/release/apps/tandem"))
    parser.add_argument("--answer-ms", type=int, default=2_000, metavar="N",
                        help="time for a prediction until another server is asked (default: 2000)")
    parser.add_argument("--restart-after", type=float, default=1, metavar="SECONDS",
                        help="until a server that ended is started again (default: 1)")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS",
                        help="for what starts to answer (default: 60)")
    return parse(parser, "tandem serve")


def main():
    arguments = read_arguments()
    try:
        haproxy()
    except Missing as why:
        say(str(why))
        return 2
    folder = pathlib.Path(arguments.folder or str(pathlib.Path(arguments.repository)) + ".service")
    pathlib.Path(arguments.repository).mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    service = Service(arguments, folder.absolute())
    proxy = service.proxy
    return run(service, lambda: f"ready https://{proxy.https}" +
               (f" http://{proxy.http}" if proxy.http else "") + f" registry {service.registry}")


if __name__ == "__main__":
    sys.exit(main())
