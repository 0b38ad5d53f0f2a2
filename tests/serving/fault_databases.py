"""What faults.py does to PostgreSQL and to the way there."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from fault_tools import (Changes, Load, Outcomes, Place, Skipped, postgres_outcomes,
                         postgres_transitions, until)
from forwarder import Forwarder
from postgres import Missing, Postgres

HERE = pathlib.Path(__file__).parent.absolute()


class Network:
    """A forwarder to PostgreSQL behind a network of its own, whose link can be taken away: packets
    then vanish, and nobody is told."""

    def __init__(self, postgres):
        mark = os.getpid() % 100_000
        self.space, self.link, self.far = f"tandem{mark}", f"tnd{mark}a", f"tnd{mark}b"
        self.address = f"10.231.{mark % 250}.2"
        self.port = 0
        self.process = None
        try:
            self.ip("netns", "add", self.space)
            self.ip("link", "add", self.link, "type", "veth", "peer", "name", self.far, "netns",
                    self.space)
            self.ip("addr", "add", f"10.231.{mark % 250}.1/30", "dev", self.link)
            self.ip("link", "set", self.link, "up")
            self.inside("ip", "addr", "add", f"{self.address}/30", "dev", self.far)
            self.inside("ip", "link", "set", self.far, "up")
        except (OSError, subprocess.CalledProcessError) as why:
            self.close()
            raise Skipped("no network of its own can be made: " +
                          (why.stderr.strip() if hasattr(why, "stderr") else str(why))) from None
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.space, sys.executable, str(HERE / "forwarder.py"),
             f"{self.address}:0", str(postgres.folder / ".s.PGSQL.5432")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def inside(self, *words):
        self.ip("netns", "exec", self.space, *words)

    def cut_off(self):
        # At the far side, so that this side sees a link that is up and hears nothing.
        self.inside("ip", "addr", "del", f"{self.address}/30", "dev", self.far)

    def join(self):
        self.inside("ip", "addr", "add", f"{self.address}/30", "dev", self.far)

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(timeout=10)
            self.process.stdout.close()
        subprocess.run(["ip", "netns", "del", self.space], check=False, capture_output=True)


def database(folder, short, fault, through=None):
    """The common part of what is done to PostgreSQL: `fault(postgres, forwarder, server)` does it and
    returns when it is over."""
    try:
        postgres = Postgres(pathlib.Path(tempfile.mkdtemp(prefix="tandem-pg-")), "fsync=off")
    except Missing as why:
        raise Skipped(str(why)) from None
    forwarder = None
    server = None
    try:
        postgres.start()
        between = through or (lambda of: Forwarder(of.folder / ".s.PGSQL.5432"))
        forwarder = between(postgres)
        place = Place(folder, registry=f"postgresql://tandem@{forwarder.address}:{forwarder.port}/postgres")
        server = place.serve()
        place.know_answers(server)
        load = Load(place, server.url, 9 if short else 20)
        changes, outcomes = Changes(lambda: server), Outcomes(lambda: server)
        time.sleep(0.5)
        began = time.monotonic()
        fault(postgres, forwarder, server, changes)
        since = time.monotonic()
        before = changes.acknowledged
        again = until(lambda: changes.acknowledged > before, "no change is made any more")
        result = load.end().none_failed()
        changes.end()
        outcomes.end()
        changes.check(postgres_transitions(postgres))
        outcomes.check(postgres_outcomes(postgres))
        began_stop = time.monotonic()
        assert server.stop() == 0
        server = None
        return result.figures(recovered_s=round(result.recovered(began), 2),
                              fault_s=round(since - began, 1), changes_again_s=round(again, 2),
                              slowest_change_s=round(changes.slowest, 2),
                              changes_refused=changes.refused, acknowledged=changes.acknowledged,
                              outcomes=outcomes.acknowledged,
                              stop_s=round(time.monotonic() - began_stop, 2))
    finally:
        if server is not None:
            server.stop(signal.SIGKILL)
        if forwarder is not None:
            forwarder.close()
        postgres.stop(signal.SIGQUIT)
        shutil.rmtree(postgres.folder)


def stopped(folder, short):
    """PostgreSQL ended as by a crash, and started again"""
    def fault(postgres, _forwarder, _server, _changes):
        postgres.stop(signal.SIGQUIT)
        time.sleep(1.5 if short else 10)
        postgres.start()
    return database(folder, short, fault)


def delayed(folder, short):
    """every message to and from PostgreSQL 100 ms late"""
    def fault(_postgres, forwarder, _server, changes):
        forwarder.delay = 0.1
        before = changes.acknowledged
        until(lambda: changes.acknowledged > before, "no change is made over a slow network")
        time.sleep(1 if short else 8)
        forwarder.delay = 0.0
    return database(folder, short, fault)


def silent(folder, short):
    """PostgreSQL takes requests and answers none, as a machine that hangs does"""
    def fault(_postgres, forwarder, server, changes):
        forwarder.silent = True
        before = changes.refused
        # Refused in time, not kept waiting for ever; and reading goes on.
        until(lambda: changes.refused > before, "a change waits for ever for a silent database")
        assert server.ask("GET", "/v1/models")[0] == 200
        forwarder.silent = False
        forwarder.cut()
    return database(folder, short, fault)


def cut(folder, short):
    """the network to PostgreSQL cut: nothing arrives, nothing is refused"""
    def fault(_postgres, network, server, changes):
        network.cut_off()
        before = changes.refused
        until(lambda: changes.refused > before, "a change waits for ever behind a cut network")
        assert server.ask("GET", "/v1/models")[0] == 200
        network.join()
    return database(folder, short, fault, through=Network)
