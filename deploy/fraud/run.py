#!/usr/bin/env python3
"""Fraud detection that outlives a machine: partitions, each with a primary and a standby, behind HAProxy.

    deploy/fraud/run.py FOLDER --model FILE [--partitions N] [--https ADDRESS:PORT]

Prints `ready https://...` once it answers, and then keeps it up: where a primary ends, or does not
answer for --takeover-after seconds, it is killed, its standby takes over, and it is started again as
the standby of that. SIGTERM and SIGINT end it with status 0 when what was under way is answered, SIGHUP
has tokens, rules, logs and the certificate read anew, and SIGUSR1 starts all servers again, each after
its partner has taken over, without a transaction that is lost. docs/deploy.md has the rest.

Needs Debian's packages haproxy and openssl; --redis needs redis-server.
"""

import argparse
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent.absolute()
sys.path.insert(0, str(HERE.parent))
from service import Missing, Proxy, add_proxy_arguments, end, free_port, haproxy, parse, run, say  # noqa: E402


class Server:
    """One of a partition's two, on a port that it keeps."""

    def __init__(self, name, folder, port, words):
        self.name = name
        self.state = folder / name
        self.folder = folder
        self.port = port
        self.words = words  # of the command, but for those of its role
        self.process = None
        self.silent_since = None

    def start(self, follow=None, token=None):
        words = list(self.words)
        if follow is not None:
            words += ["--follow", f"127.0.0.1:{follow.port}", "--follow-token", str(token)]
        self.silent_since = None
        with open(self.folder / f"{self.name}.errors", "ab") as errors:
            self.process = subprocess.Popen(
                [*words, "--state", str(self.state), "--http", f"127.0.0.1:{self.port}", "--log",
                 str(self.folder / f"{self.name}.log")], stdout=subprocess.DEVNULL, stderr=errors)

    def ask(self, method, path, token, timeout=1.0):
        """Status and what is answered; (0, None) where nobody answers in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        except (OSError, ValueError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """It must not decide any more, whatever became of it."""
        if self.runs():
            self.process.kill()
        self.process.wait(timeout=60)


class Partition:
    """A primary and its standby. Which is which changes."""

    def __init__(self, service, number):
        self.service = service
        self.number = number
        arguments = service.arguments
        words = [arguments.tandem, "fraud", "serve", "--model", arguments.model, "--tokens",
                 str(service.tokens), "--durability", arguments.durability, "--standby-confirms-ms",
                 str(arguments.confirm_ms)]
        if arguments.partitions > 1:
            words += ["--partition", f"{number}/{arguments.partitions}"]
        if arguments.redis:
            words += ["--redis", arguments.redis]
        words += arguments.options
        self.a = Server(f"{number}-a", service.folder, free_port(), words)
        self.b = Server(f"{number}-b", service.folder, free_port(), words)
        self.primary, self.standby = self.a, self.b
        self.decides = service.folder / f"{number}.decides"  # the name of the primary
        self.followed_at = 0.0

    def start(self):
        for server in (self.a, self.b):
            server.state.mkdir(mode=0o700, exist_ok=True)
            shutil.copyfile(self.service.secret, server.state / "secret")
            (server.state / "secret").chmod(0o600)
        if self.decides.exists() and self.decides.read_text().strip() == self.b.name:
            self.primary, self.standby = self.b, self.a
        self.primary.start()
        self.wait("primary")
        self.follow()
        self.wait("standby")

    def follow(self):
        """The standby begins, or begins again."""
        self.decides.write_text(f"{self.primary.name}\n")
        self.followed_at = time.monotonic()
        self.standby.start(self.primary, self.service.follow_token)

    def wait(self, role):
        until = time.monotonic() + self.service.arguments.patience
        server = self.primary if role == "primary" else self.standby
        while not self.is_as_wished(server, role):
            if not server.runs() or time.monotonic() > until:
                text = (server.folder / f"{server.name}.errors").read_text(errors="replace")
                text += json.dumps(server.ask("GET", "/v1/standby", self.service.admin)[1])
                raise RuntimeError(f"server {server.name} did not start: {text[-1000:].strip()}")
            time.sleep(0.05)

    def is_as_wished(self, server, role):
        status, said = server.ask("GET", "/v1/standby", self.service.admin)
        if status != 200 or said["role"] != role:
            return False
        return role == "primary" or (said["follows"]["reached"] and said["follows"]["behind"] == 0)

    def keep_up(self, now):
        primary, standby = self.primary, self.standby
        if primary.runs():
            status, _ = primary.ask("GET", "/v2/health/ready", self.service.admin, 0.5)
            if status == 200:
                primary.silent_since = None
            elif primary.silent_since is None:
                primary.silent_since = now
        silent = primary.silent_since is not None and \
            now - primary.silent_since >= self.service.arguments.takeover_after
        if not primary.runs() or silent:
            self.take_over("does not answer" if primary.runs() else
                           f"ended with status {primary.process.poll()}")
        elif not standby.runs():
            if now - self.followed_at >= self.service.arguments.restart_after:
                say(f"server {standby.name} ended with status {standby.process.poll()}; it is started again")
                self.follow()
        else:
            self.renew(now)

    def renew(self, now):
        """A standby whose state is no copy of the primary's (it decided when it was lost, and what it
        did last was never followed) begins anew; what it had is kept beside it."""
        if now - self.followed_at < 1:
            return
        self.followed_at = now
        status, said = self.standby.ask("GET", "/v1/standby", self.service.admin)
        if status != 200 or "follows" not in said or not said["follows"]["given_up"]:
            return
        say(f"server {self.standby.name}: {said['follows']['trouble']}")
        self.standby.kill()
        aside = self.standby.state.with_name(f"{self.standby.name}.{int(time.time())}.aside")
        self.standby.state.rename(aside)
        say(f"its state is kept as {aside}, and it begins anew")
        self.standby.state.mkdir(mode=0o700)
        shutil.copyfile(aside / "secret", self.standby.state / "secret")
        (self.standby.state / "secret").chmod(0o600)
        self.follow()

    def take_over(self, why):
        """The primary is lost: first it must not decide any more, then the standby may."""
        say(f"server {self.primary.name} {why}: {self.standby.name} takes over")
        self.primary.kill()
        if not self.standby.runs():
            say(f"server {self.standby.name} is lost too: {self.primary.name} is started again")
            self.primary.start()
            return
        status, said = self.standby.ask("POST", "/v1/takeover", self.service.admin, 30)
        if status != 200:
            say(f"server {self.standby.name} did not take over: {said}; {self.primary.name} is started again")
            self.primary.start()
            return
        self.primary, self.standby = self.standby, self.primary
        self.follow()

    def change_places(self):
        """The standby takes over while the primary steps down, and that is started again. Meanwhile the
        proxy asks both: the one that has stepped down refuses, and the other keeps what comes."""
        self.tell_proxy("maint")
        try:
            time.sleep(0.3)
            status, said = self.standby.ask("POST", "/v1/takeover", self.service.admin, 30)
            if status != 200:
                raise RuntimeError(f"server {self.standby.name} did not take over: {said}")
            self.primary, self.standby = self.standby, self.primary
        finally:
            self.tell_proxy("ready")
        end(self.standby.process)
        self.follow()
        self.wait("standby")
        say(f"server {self.standby.name} was started again")

    def tell_proxy(self, state):
        for name in "ab":
            self.service.proxy.tell(f"set server partition_{self.number}/{name} state {state}")

    def servers(self):
        return [self.primary, self.standby]


class Service:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.tokens = folder / "tokens"
        self.follow_token = folder / "follow-token"
        self.secret = folder / "secret"
        self.admin = self.make_tokens()
        self.make_secret()
        self.partitions = [Partition(self, number) for number in range(arguments.partitions)]
        generated = folder / "partitions.cfg"
        template = (HERE / "partition.cfg").read_text()
        generated.write_text("".join(
            template.replace("@PARTITION@", str(one.number)).replace("@A@", f"127.0.0.1:{one.a.port}")
            .replace("@B@", f"127.0.0.1:{one.b.port}") for one in self.partitions))
        self.proxy = Proxy(folder, [HERE / "haproxy.cfg", generated], arguments.https, arguments.http,
                           arguments.certificate, arguments.patience)

    def make_tokens(self):
        """One of our own, for what servers ask of each other, beside those that were given; where none
        were, one for clients."""
        own = self.own_token("follow-token")
        if self.arguments.tokens:
            given = pathlib.Path(self.arguments.tokens).read_text().rstrip()
        else:
            given = f"predict {self.own_token('client-token')} clients"
        with open(os.open(self.tokens, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{given}\nadmin {own} deploy\n")
        return own

    def own_token(self, name):
        path = self.folder / name
        if not path.exists():
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_hex(16) + "\n")
        return path.read_text().strip()

    def make_secret(self):
        """One for all: partitions and standbys hash identifiers alike."""
        if not self.secret.exists():
            with open(os.open(self.secret, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(secrets.token_bytes(16))

    def start(self):
        for partition in self.partitions:
            partition.start()
        self.start_proxy()

    def start_proxy(self):
        self.proxy.start(
            {"TANDEM_PARTITIONS": str(self.arguments.partitions),
             "TANDEM_REQUESTS_PER_10_S": str(self.arguments.requests_per_10_s),
             "TANDEM_CONNECTIONS_PER_CLIENT": str(self.arguments.connections_per_client)},
            lambda: all("UP" in (self.proxy.state(f"partition_{one.number}", "a"),
                                 self.proxy.state(f"partition_{one.number}", "b"))
                        for one in self.partitions))

    def keep_up(self):
        for partition in self.partitions:
            partition.keep_up(time.monotonic())
        if self.proxy.ended():
            say("HAProxy ended; it is started again")
            self.start_proxy()

    def restart_in_turn(self):
        for partition in self.partitions:
            partition.change_places()
            partition.change_places()

    def reload(self):
        self.make_tokens()
        for partition in self.partitions:
            for server in partition.servers():
                if server.runs():
                    server.process.send_signal(signal.SIGHUP)
        self.proxy.reload()

    def stop(self):
        """The proxy first, which lets no more in; standbys after what they follow."""
        self.proxy.stop()
        statuses = [end(server.process) for partition in self.partitions for server in partition.servers()]
        return all(status == 0 for status in statuses)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="for states, logs, sockets, the secret and tokens")
    parser.add_argument("--model", required=True, metavar="FILE",
                        help="a model file, or REPOSITORY/NAME")
    parser.add_argument("--partitions", type=int, default=1, metavar="N",
                        help="among which users are parted (default: 1); never another number for the "
                        "same folder")
    add_proxy_arguments(parser)
    parser.add_argument("--redis", metavar="HOST:PORT", help="through which partitions tell each other")
    parser.add_argument("--durability", choices=("sync", "os"), default="sync")
    parser.add_argument("--confirm-ms", type=int, default=2_000, metavar="N",
                        help="for how long an answer waits for the standby (default: 2000; 0: not at all)")
    parser.add_argument("--tokens", metavar="FILE",
                        help="of the servers (docs/http.md); if left out, one for clients is made, in "
                        "FOLDER/client-token")
    parser.add_argument("--tandem", default=str(HERE.parents[1] / "build/release/apps/tandem"))
    parser.add_argument("--takeover-after", type=float, default=2, metavar="SECONDS",
                        help="without an answer, until a primary is killed and its standby takes over "
                        "(default: 2); one that has ended is replaced at once")
    parser.add_argument("--restart-after", type=float, default=1, metavar="SECONDS",
                        help="until a standby that ended is started again (default: 1)")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS",
                        help="for what starts to answer (default: 60)")
    arguments = parse(parser, "tandem fraud serve")
    if not 1 <= arguments.partitions <= 64:
        parser.error("--partitions: expected 1 to 64")
    return arguments


def main():
    arguments = read_arguments()
    try:
        haproxy()
    except Missing as why:
        say(str(why))
        return 2
    folder = pathlib.Path(arguments.folder).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker = folder / "partitions"
    if marker.exists() and marker.read_text().strip() != str(arguments.partitions):
        say(f"{folder} has {marker.read_text().strip()} partitions: users would be parted otherwise, and "
            "what is known of them would be elsewhere")
        return 2
    marker.write_text(f"{arguments.partitions}\n")
    service = Service(arguments, folder)
    return run(service, lambda: f"ready https://{service.proxy.https}" +
               (f" http://{service.proxy.http}" if service.proxy.http else ""), 0.1)


if __name__ == "__main__":
    sys.exit(main())
