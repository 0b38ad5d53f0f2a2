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
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402
from postgres import Missing, Postgres  # noqa: E402

HERE = pathlib.Path(__file__).parent.absolute()
NAMES = ("one", "two")
BACKENDS = ("again", "once", "again_not_ready", "once_not_ready")


def say(text):
    print(f"deploy: {text}", file=sys.stderr, flush=True)


def answers(port, path):
    """Whether a server answers 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as one:
            one.settimeout(1)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: tandem\r\nConnection: close\r\n\r\n".encode())
            return one.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


class Service:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.ports = {name: free_port() for name in NAMES}
        self.servers = {}
        self.ended_at = {}
        self.proxy = None
        self.postgres = None
        self.registry = arguments.registry
        self.https = self.place(arguments.https)
        self.http = self.place(arguments.http) if arguments.http else None

    @staticmethod
    def place(text):
        address, _, port = text.rpartition(":")
        address = address or "127.0.0.1"
        return f"{address}:{port if port != '0' else free_port(address.strip('[]'))}"

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
        end = time.monotonic() + self.arguments.patience
        while not answers(self.ports[name], "/v2/health/live"):
            if self.servers[name].poll() is not None or time.monotonic() > end:
                text = (self.folder / f"{name}.errors").read_text(errors="replace")
                raise RuntimeError(f"server {name} did not start: {text[-1000:].strip()}")
            time.sleep(0.05)

    def start_proxy(self):
        self.admin_socket = str(self.folder / "haproxy.sock")
        environment = dict(
            os.environ, TANDEM_HTTPS=self.https, TANDEM_CERTIFICATE=str(self.certificate()),
            TANDEM_ADMIN_SOCKET=self.admin_socket,
            TANDEM_ONE=f"127.0.0.1:{self.ports['one']}", TANDEM_TWO=f"127.0.0.1:{self.ports['two']}",
            TANDEM_REQUESTS_PER_10_S=str(self.arguments.requests_per_10_s),
            TANDEM_CONNECTIONS_PER_CLIENT=str(self.arguments.connections_per_client),
            TANDEM_ANSWER_MS=f"{self.arguments.answer_ms}ms")
        environment.pop("TANDEM_HTTP", None)
        if self.http:
            environment["TANDEM_HTTP"] = self.http
        log = open(self.folder / "haproxy.log", "ab")
        self.proxy = subprocess.Popen(
            [shutil.which("haproxy") or "/usr/sbin/haproxy", "-W", "-db", "-f", str(HERE / "haproxy.cfg")],
            stdout=log, stderr=log, env=environment)
        log.close()
        end = time.monotonic() + self.arguments.patience
        while not self.proxy_answers():
            if self.proxy.poll() is not None or time.monotonic() > end:
                text = (self.folder / "haproxy.log").read_text(errors="replace")
                raise RuntimeError(f"HAProxy did not start:\n{text[-2000:].strip()}")
            time.sleep(0.05)

    def certificate(self):
        if self.arguments.certificate:
            return pathlib.Path(self.arguments.certificate).absolute()
        both = self.folder / "certificate.pem"
        if both.exists():
            return both
        say(f"no --certificate: made one for localhost that nobody has signed, {self.folder}/ca.pem")
        key, certificate = self.folder / "key.pem", self.folder / "ca.pem"
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "365", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
            capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise RuntimeError(f"openssl made no certificate: {made.stderr[-500:]}")
        with open(os.open(both, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(certificate.read_text() + key.read_text())
        key.unlink()
        return both

    def tell_proxy(self, command):
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(5)
            one.connect(self.admin_socket)
            one.sendall(command.encode() + b"\n")
            text = b""
            while more := one.recv(65536):
                text += more
        return text.decode()

    def rows(self, name):
        """What HAProxy says of a server, by backend."""
        lines = self.tell_proxy("show stat").splitlines()
        fields = lines[0].lstrip("# ").split(",")
        rows = [dict(zip(fields, line.split(","))) for line in lines[1:]]
        return {row["pxname"]: row for row in rows if row.get("svname") == name}

    def state(self, name):
        """What HAProxy thinks of a server: UP, DOWN, MAINT, DRAIN."""
        row = self.rows(name).get("again", {})
        return row["status"].split()[0] if row.get("status") else ""

    def under_way(self, name):
        """Requests that a server has been given and has not answered."""
        return sum(int(row["scur"]) for row in self.rows(name).values())

    def wait_until(self, condition, what, seconds=None):
        end = time.monotonic() + (seconds or self.arguments.patience)
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(what)
            time.sleep(0.05)

    def proxy_answers(self):
        """Whether HAProxy runs; servers that are not ready are no reason to stay away."""
        try:
            return all(self.state(name) for name in NAMES)
        except OSError:
            return False

    def restart_in_turn(self):
        """Never without another server that is ready; what does not come back leaves the rest as it
        is, and is said."""
        try:
            for name in NAMES:
                self.restart(name)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
            say(f"the servers were not all started again: {why}")

    def restart(self, name):
        for other in NAMES:
            self.wait_until(lambda: other == name or self.state(other) == "UP",
                            f"server {other} is not ready, so that server {name} was left as it was")
        for backend in BACKENDS:
            self.tell_proxy(f"set server {backend}/{name} state drain")
        try:
            # What it was given is answered, and a moment more for what HAProxy is about to give it.
            time.sleep(0.3)
            self.wait_until(lambda: self.under_way(name) == 0,
                            f"server {name} does not answer what it was given", 60)
            self.end(self.servers[name])
            self.start_server(name)
            self.wait_for(name)
        finally:
            for backend in BACKENDS:
                self.tell_proxy(f"set server {backend}/{name} state ready")
        self.wait_until(lambda: self.state(name) == "UP",
                        f"server {name} is not ready; the others were left as they were")
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
            self.again("PostgreSQL", now, self.postgres.start)
        if self.proxy.poll() is not None:
            self.again("HAProxy", now, self.start_proxy)

    def again(self, name, now, start):
        """One that does not start is tried again later: the others go on meanwhile."""
        if now < self.ended_at.get(name, 0):
            return
        say(f"{name} ended; it is started again")
        try:
            start()
            self.ended_at.pop(name, None)
        except (RuntimeError, OSError) as why:
            say(str(why))
            self.ended_at[name] = time.monotonic() + self.arguments.restart_after

    def reload(self):
        for server in self.servers.values():
            if server.poll() is None:
                server.send_signal(signal.SIGHUP)
        self.proxy.send_signal(signal.SIGUSR2)

    @staticmethod
    def end(process):
        """Its status; 0 too for one that had not come so far that it could be stopped in order."""
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            say(f"process {process.pid} does not end, and is killed")
            process.kill()
            status = process.wait()
        return 0 if status in (-signal.SIGTERM, 130) else status

    def stop(self):
        """The proxy first, which lets no more in; the registry last. True where all ended well."""
        if self.proxy is not None and self.proxy.poll() is None:
            # Answers what is under way, 30 s at most.
            self.proxy.send_signal(signal.SIGUSR1)
            try:
                self.proxy.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.end(self.proxy)
        statuses = [self.end(server) for server in self.servers.values()]
        if self.postgres is not None:
            self.postgres.stop()
        return all(status == 0 for status in statuses)


class Interrupted(Exception):
    """A signal came before everything was started."""


class Signals:
    """Those that have come. They are not blocked, since what is started would inherit that."""

    def __init__(self):
        self.come = []
        self.ready = False
        self.reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, self.take)

    def take(self, number, _frame):
        if not self.ready and number in (signal.SIGTERM, signal.SIGINT):
            raise Interrupted
        self.come.append(number)

    def next(self):
        """The next, or None after a fifth of a second."""
        self.ready = True
        if not self.come and select.select([self.reading], [], [], 0.2)[0]:
            os.read(self.reading, 100)
        return self.come.pop(0) if self.come else None


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="What follows -- are "
                                     "further options of tandem serve, as in -- --batch-rows 64.")
    parser.add_argument("repository")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE",
                        help="a model for production, where the registry has none of that name")
    parser.add_argument("--https", default="127.0.0.1:8443", metavar="ADDRESS:PORT")
    parser.add_argument("--http", metavar="ADDRESS:PORT", help="the same without TLS; for this machine")
    parser.add_argument("--certificate", metavar="PEM", help="certificate, chain and key in one file")
    parser.add_argument("--registry", metavar="URL", help="a PostgreSQL that is there already")
    parser.add_argument("--tokens", metavar="FILE", help="of the servers (docs/http.md)")
    parser.add_argument("--folder", help="for data, logs and sockets; REPOSITORY.service if left out")
    parser.add_argument("--tandem", default=str(HERE.parents[1] / "build/release/apps/tandem"))
    parser.add_argument("--requests-per-10-s", type=int, default=100_000, metavar="N",
                        help="of one address; more are answered with 429 (default: 100000)")
    parser.add_argument("--connections-per-client", type=int, default=1_000, metavar="N")
    parser.add_argument("--answer-ms", type=int, default=2_000, metavar="N",
                        help="time for a prediction until another server is asked (default: 2000)")
    parser.add_argument("--restart-after", type=float, default=1, metavar="SECONDS",
                        help="until a server that ended is started again (default: 1)")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS",
                        help="for what starts to answer (default: 60)")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:at])
    arguments.options = words[at + 1:]
    return arguments


def main():
    arguments = parse()
    if not (shutil.which("haproxy") or os.path.exists("/usr/sbin/haproxy")):
        say("HAProxy is not installed (Debian: haproxy)")
        return 2
    folder = pathlib.Path(arguments.folder or str(pathlib.Path(arguments.repository)) + ".service")
    pathlib.Path(arguments.repository).mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    service = Service(arguments, folder.absolute())
    status = 0
    signals = Signals()
    try:
        service.start()
        print(f"ready https://{service.https}" + (f" http://{service.http}" if service.http else "") +
              f" registry {service.registry}", flush=True)
        while (number := signals.next()) not in (signal.SIGTERM, signal.SIGINT):
            if number is None:
                service.keep_up()
            elif number == signal.SIGHUP:
                service.reload()
            elif number == signal.SIGUSR1:
                service.restart_in_turn()
    except Missing as why:
        say(str(why))
        status = 2
    except (RuntimeError, OSError) as why:
        say(str(why))
        status = 1
    except Interrupted:
        status = 130
    signals.ready = True  # what ends everything is not ended itself
    if not service.stop() and status == 0:
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
