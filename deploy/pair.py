"""Two servers behind HAProxy on this machine, kept up: what deploy/serving and deploy/recommend share."""

import pathlib
import signal
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parent))
from service import (TROUBLES, Again, Missing, Proxy, add_proxy_arguments, answers, end,  # noqa: E402
                     free_port, haproxy, run, say, wait_until)

NAMES = ("one", "two")


class Pair:
    """A service says which programs the two are (start_server), may have more beside them, and names the
    backends of its haproxy.cfg; a server that is ready is up in the first of them."""

    backends = ()

    def __init__(self, arguments, folder, configuration):
        self.arguments = arguments
        self.folder = folder
        self.ports = {name: free_port() for name in NAMES}
        self.servers = {}
        self.ended_at = {}
        self.again = Again(arguments.restart_after)
        self.proxy = Proxy(folder, [configuration], arguments.https, arguments.http, arguments.certificate,
                           arguments.patience)

    def start_server(self, name):
        """Puts a process into `servers`, which answers at the port of the name."""
        raise NotImplementedError

    def registry(self):
        """What the line that says that it is ready names as such."""
        raise NotImplementedError

    def start(self):
        for name in NAMES:
            self.start_server(name)
        for name in NAMES:
            self.wait_for(name)
        self.start_proxy()

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
            lambda: all(self.proxy.state(self.backends[0], name) for name in NAMES))

    def restart_in_turn(self):
        """Never without another server that is ready; what does not come back leaves the rest as it
        is, and is said."""
        try:
            for name in NAMES:
                self.restart(name)
        except TROUBLES as why:
            say(f"the servers were not all started again: {why}")

    def restart(self, name):
        patience = self.arguments.patience
        for other in NAMES:
            wait_until(lambda: other == name or self.proxy.state(self.backends[0], other) == "UP",
                       f"server {other} is not ready, so that server {name} was left as it was", patience,
                       self.keep_up)
        for backend in self.backends:
            self.proxy.tell(f"set server {backend}/{name} state drain")
        try:
            # What it was given is answered, and a moment more for what HAProxy is about to give it.
            time.sleep(0.3)
            wait_until(lambda: self.proxy.under_way(name) == 0,
                       f"server {name} does not answer what it was given", 60, self.keep_up)
            end(self.servers[name])
            self.start_server(name)
            self.wait_for(name)
        finally:
            for backend in self.backends:
                self.proxy.tell(f"set server {backend}/{name} state ready")
        wait_until(lambda: self.proxy.state(self.backends[0], name) == "UP",
                   f"server {name} is not ready; the others were left as they were", patience, self.keep_up)
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
        if self.proxy.ended():
            self.again.start("HAProxy", self.start_proxy)

    def reload(self):
        for server in self.servers.values():
            if server.poll() is None:
                server.send_signal(signal.SIGHUP)
        self.proxy.reload()

    def stop(self):
        """The proxy first, which lets no more in. True where all ended well."""
        self.proxy.stop()
        statuses = [end(server) for server in self.servers.values()]
        return all(status == 0 for status in statuses)

    def ready(self):
        return (f"ready https://{self.proxy.https}" + (f" http://{self.proxy.http}" if self.proxy.http else "") +
                f" registry {self.registry()}")


def add_pair_arguments(parser, what):
    add_proxy_arguments(parser)
    parser.add_argument("--tokens", metavar="FILE", help="of the servers (docs/http.md)")
    parser.add_argument("--tandem",
                        default=str(pathlib.Path(__file__).absolute().parents[1] / "build/release/apps/tandem"))
    parser.add_argument("--answer-ms", type=int, default=2_000, metavar="N",
                        help=f"time for {what} until the other server is asked (default: 2000)")
    parser.add_argument("--restart-after", type=float, default=1, metavar="SECONDS",
                        help="until a server that ended is started again (default: 1)")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS",
                        help="for what starts to answer (default: 60)")


def keep(make, folder):
    """Runs what `make` makes of the folder until a signal ends it; returns the exit status."""
    try:
        haproxy()
    except Missing as why:
        say(str(why))
        return 2
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    service = make(folder.absolute())
    return run(service, service.ready)
