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
import concurrent.futures
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent.absolute()
sys.path.insert(0, str(HERE.parent))
from service import (ENDING, TROUBLES, Again, Careful, Missing, Proxy, add_proxy_arguments, end,  # noqa: E402
                     free_port, haproxy, parse, run, say, wait_until, write_whole)


class Server:
    """One of a partition's two, on a port that it keeps."""

    def __init__(self, name, folder, port, words):
        self.name = name
        self.state = folder / name
        self.folder = folder
        self.port = port
        self.words = words  # of the command, but for those of its role
        self.process = None
        self.started_at = 0.0
        self.has_answered = False  # since it was started
        self.unanswered = 0  # questions in a row
        self.silent_since = 0.0

    def start(self, follow=None, token=None):
        words = list(self.words)
        if follow is not None:
            words += ["--follow", f"127.0.0.1:{follow.port}", "--follow-token", str(token)]
        self.started_at = time.monotonic()
        self.has_answered = False
        self.unanswered = 0
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
        if self.process is not None:
            self.process.wait(timeout=60)

    def judge(self, good, silence, patience):
        """Takes down whether a question had a good answer. Returns whether the server is lost: for
        `silence` seconds, and three questions at least, there was none; the questions are counted so
        that a pause of the whole machine is not held against it. One that is only starting has
        `patience` seconds."""
        now = time.monotonic()
        if good:
            self.has_answered = True
            self.unanswered = 0
            return False
        if self.unanswered == 0:
            self.silent_since = now
        self.unanswered += 1
        if not self.has_answered:
            return now - self.started_at >= patience
        return self.unanswered >= 3 and now - self.silent_since >= silence


class Partition:
    """A primary and its standby. Which is which changes. One thread at a time may use it, the one that
    has the lock."""

    def __init__(self, service, number):
        self.service = service
        self.number = number
        self.lock = threading.Lock()
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
        self.careful = Careful()
        self.decides = service.folder / f"{number}.decides"  # the name of the primary
        self.followed_at = 0.0
        self.begins_anew = False  # the standby, which had nothing, has not come up since
        self.started_instead = False  # the primary, for whose standby had not all answers

    def start(self):
        for server in (self.a, self.b):
            server.state.mkdir(mode=0o700, exist_ok=True)
            shutil.copyfile(self.service.secret, server.state / "secret")
            (server.state / "secret").chmod(0o600)
        if self.decides.exists() and self.decides.read_text().strip() == self.b.name:
            self.primary, self.standby = self.b, self.a
        self.name_primary(self.primary)
        self.primary.start()
        self.wait("primary")
        self.follow()
        self.wait("standby")

    def name_primary(self, server):
        """Before it may decide: after a crash of whatever is here, the one that is named goes on."""
        write_whole(self.decides, f"{server.name}\n")

    def follow(self):
        """The standby begins, or begins again."""
        self.followed_at = time.monotonic()
        if (self.standby.state / "copying").exists():
            self.put_aside("it was ended while it copied the log of the other")
        self.standby.start(self.primary, self.service.follow_token)

    def wait(self, role):
        server = self.primary if role == "primary" else self.standby

        def come():
            if not server.runs():
                raise RuntimeError(why())
            return self.is_as_wished(server, role)

        def why():
            text = (server.folder / f"{server.name}.errors").read_text(errors="replace")
            text += json.dumps(server.ask("GET", "/v1/standby", self.service.admin)[1])
            return f"server {server.name} did not start: {text[-1000:].strip()}"
        try:
            wait_until(come, "", self.service.arguments.patience)
        except RuntimeError as error:
            raise RuntimeError(str(error) or why()) from None

    def is_as_wished(self, server, role):
        """A standby: that it has all that was answered, where answers wait for it."""
        status, said = server.ask("GET", "/v1/standby", self.service.admin)
        if status != 200 or said["role"] != role:
            return False
        if role == "primary":
            return True
        if not said["follows"]["reached"]:
            return False
        if self.service.arguments.confirm_ms == 0:
            return said["follows"]["behind"] == 0
        status, said = self.primary.ask("GET", "/v1/standby", self.service.admin)
        return status == 200 and said["role"] == "primary" and said["standby"]["has_all"]

    def keep_up(self):
        """One look, unless a look goes on or the servers change places."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            self.careful(self.look)
        finally:
            self.lock.release()

    def look(self):
        primary, standby = self.primary, self.standby
        if not primary.runs():
            self.replace(f"ended with status {primary.process.poll()}")
        elif why := self.is_lost():
            self.replace(why)
        elif not standby.runs():
            if time.monotonic() - self.followed_at >= self.service.arguments.restart_after:
                say(f"server {standby.name} ended with status {standby.process.poll()}; it is started again")
                self.follow()
        elif time.monotonic() - self.followed_at >= 1:
            self.look_at_standby()

    def is_lost(self):
        """Why the primary is to be replaced, or nothing. One that answers and takes no transactions
        since its disk is full is not: the other has no more room by that."""
        arguments = self.service.arguments
        status, _ = self.primary.ask("GET", "/v2/health/ready", self.service.admin,
                                     max(0.5, arguments.takeover_after / 3))
        why = "does not answer"
        if status == 503:
            status, said = self.primary.ask("GET", "/v1/standby", self.service.admin)
            if status == 200 and (said["role"] != "primary" or said["failed"]):
                status = 503
                why = "cannot write its log" if said["failed"] else f"is {said['role']}"
        if status == 200:
            self.started_instead = False
        lost = self.primary.judge(status == 200, arguments.takeover_after, arguments.patience)
        return why if lost else ""

    def look_at_standby(self):
        """Once a second. A standby that hangs is started again. One whose state is no copy of the
        primary's (it decided when it was lost, and what it did last was never followed) begins anew."""
        self.followed_at = time.monotonic()
        standby, arguments = self.standby, self.service.arguments
        status, said = standby.ask("GET", "/v1/standby", self.service.admin)
        if standby.judge(status == 200, 10 * arguments.takeover_after, arguments.patience):
            say(f"server {standby.name} does not answer; it is started again")
            standby.kill()
            self.follow()
        if status != 200 or "follows" not in said:
            return
        if said["follows"]["given_up"]:
            standby.kill()
            self.put_aside(said["follows"]["trouble"])
            self.follow()
        elif self.begins_anew and self.is_as_wished(standby, "standby"):
            self.begins_anew = False

    def put_aside(self, why):
        """The state of the standby, which does not run, for a person to look at."""
        server = self.standby
        aside = server.state.with_name(f"{server.name}.{time.time_ns() // 1000}.aside")
        server.state.rename(aside)
        say(f"server {server.name}: {why}; its state is kept as {aside}, and it begins anew")
        self.begins_anew = True
        server.state.mkdir(mode=0o700)
        shutil.copyfile(self.service.secret, server.state / "secret")
        (server.state / "secret").chmod(0o600)

    def replace(self, why):
        """The primary is lost: first it must not decide any more, then the standby may, if it has all
        that was answered. Else the primary is started again, whose disk has it."""
        primary, standby = self.primary, self.standby
        primary.kill()
        waited = self.service.arguments.confirm_ms > 0
        lacks = waited and (self.begins_anew or (primary.state / "alone").exists())
        if not standby.runs():
            self.start_again(f"server {primary.name} {why}, and {standby.name} is lost too")
        elif lacks and not self.started_instead:
            self.started_instead = self.start_again(
                f"server {primary.name} {why}, and {standby.name} has not all answers yet")
        else:
            say(f"server {primary.name} {why}: {standby.name} takes over")
            if lacks:
                say(f"answers that {standby.name} does not have are in {primary.state} alone")
            self.take_over()

    def start_again(self, why):
        """The primary; not more often than is asked for. Returns whether it was."""
        self.primary.kill()
        if time.monotonic() - self.primary.started_at < self.service.arguments.restart_after:
            return False
        say(f"{why}: {self.primary.name} is started again")
        self.primary.start()
        return True

    def take_over(self):
        """The standby decides. Where it does not say whether it does, it is ended, since it may have
        begun to, and goes on from its disk."""
        primary, standby = self.primary, self.standby
        self.name_primary(standby)
        status, said = standby.ask("POST", "/v1/takeover", self.service.admin,
                                   self.service.arguments.patience)
        if status == 409:
            self.name_primary(primary)
            self.start_again(f"server {standby.name} did not take over ({said['error']})")
            return
        self.primary, self.standby = standby, primary
        self.begins_anew = False
        end(primary.process)
        if status != 200:
            say(f"server {standby.name} did not say whether it took over, and is started again")
            standby.kill()
            standby.start()
        self.follow()

    def change_places(self):
        """The standby takes over while the primary steps down, and that is started again. Meanwhile the
        proxy asks both: the one that has stepped down refuses, and the other keeps what comes."""
        with self.lock:
            self.wait("standby")
            primary = self.primary
            self.tell_proxy("maint")
            try:
                time.sleep(0.3)
                # First, so that it decides nothing more, whether the other hears of it or not.
                status, _ = primary.ask("POST", "/v1/step-down", self.service.admin,
                                        self.service.arguments.patience)
                if status != 200:
                    raise RuntimeError(f"server {primary.name} did not step down")
                self.take_over()
            finally:
                self.tell_proxy("ready")
            if self.primary is primary:
                raise RuntimeError(f"server {primary.name} goes on")
            self.wait("standby")
        say(f"server {primary.name} was started again")

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
        self.again = Again(arguments.restart_after)
        # A partition that waits for something keeps no other from being looked after.
        self.pool = concurrent.futures.ThreadPoolExecutor(arguments.partitions + 1)
        self.looks = {}
        self.restart = None

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
        self.start_proxy(lambda: all("UP" in (self.proxy.state(f"partition_{one.number}", "a"),
                                              self.proxy.state(f"partition_{one.number}", "b"))
                                     for one in self.partitions))

    def start_proxy(self, running):
        self.proxy.start(
            {"TANDEM_PARTITIONS": str(self.arguments.partitions),
             "TANDEM_REQUESTS_PER_10_S": str(self.arguments.requests_per_10_s),
             "TANDEM_CONNECTIONS_PER_CLIENT": str(self.arguments.connections_per_client)}, running)

    def keep_up(self):
        for partition in self.partitions:
            look = self.looks.get(partition)
            if look is None or look.done():
                if look is not None:
                    look.result()
                self.looks[partition] = self.pool.submit(partition.keep_up)
        if self.proxy.ended():
            # Partitions that are not ready are no reason to stay away.
            self.again.start("HAProxy", lambda: self.start_proxy(lambda: bool(self.proxy.rows("a"))))

    def restart_in_turn(self):
        if self.restart is None or self.restart.done():
            self.restart = self.pool.submit(self.restart_all)

    def restart_all(self):
        try:
            for partition in self.partitions:
                partition.change_places()
                partition.change_places()
        except TROUBLES as why:
            say(f"the servers were not all started again: {why}")

    def reload(self):
        self.make_tokens()
        for partition in self.partitions:
            for server in partition.servers():
                if server.runs():
                    server.process.send_signal(signal.SIGHUP)
        self.proxy.reload()

    def stop(self):
        """The proxy first, which lets no more in; standbys after what they follow."""
        ENDING.set()
        self.proxy.stop()
        self.pool.shutdown()
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
