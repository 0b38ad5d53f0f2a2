"""Stands between a server and its database: passes bytes on, late, not at all, or ends connections.

As a program: forwarder.py ADDRESS:PORT TARGET, where the target is the path of a socket or
ADDRESS:PORT; prints the port that it listens on. Lines of its standard input are commands: `delay
SECONDS`, `silent` (pass nothing on), `pass`, `cut`; each is answered by `done`.
"""

import select
import socket
import sys
import threading
import time


class Forwarder:
    """From a port to a socket of the file system or to another port. `delay` is in seconds, of each
    direction."""

    def __init__(self, target, address="127.0.0.1", port=0):
        self.target = str(target)
        self.address = address
        self.delay = 0.0
        self.silent = False  # takes what comes and passes nothing on
        self.lock = threading.Lock()
        self.pairs = set()
        self.listening = socket.create_server((address, port))
        self.port = self.listening.getsockname()[1]
        self.open = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.open:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            try:
                server = self.reach()
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            for one, other in [pair, pair[::-1]]:
                threading.Thread(target=self.pass_on, args=(one, other, pair), daemon=True).start()

    def reach(self):
        if "/" not in self.target:
            address, _, port = self.target.rpartition(":")
            server = socket.create_connection((address, int(port)), timeout=5)
            server.settimeout(None)
            return server
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.target)
        except OSError:
            server.close()
            raise
        return server

    def pass_on(self, source, sink, pair):
        waiting = []  # (when it may go on, bytes)
        try:
            while True:
                patience = 0.02 if waiting or self.silent else 0.2
                if select.select([source], [], [], patience)[0]:
                    piece = source.recv(65536)
                    if not piece:
                        break
                    waiting.append((time.monotonic() + self.delay, piece))
                while waiting and not self.silent and time.monotonic() >= waiting[0][0]:
                    sink.sendall(waiting.pop(0)[1])
        except (OSError, ValueError):
            pass
        self.end(pair)

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for one in pair:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def cut(self):
        """Ends all connections; new ones are taken."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.end(pair)

    def close(self):
        self.open = False
        self.listening.close()
        self.cut()


def main():
    address, _, port = sys.argv[1].rpartition(":")
    forwarder = Forwarder(sys.argv[2], address, int(port))
    print(forwarder.port, flush=True)
    for line in sys.stdin:  # until who started this ends it
        command, _, argument = line.strip().partition(" ")
        if command == "delay":
            forwarder.delay = float(argument)
        elif command in ("silent", "pass"):
            forwarder.silent = command == "silent"
        elif command == "cut":
            forwarder.cut()
        else:
            sys.exit(f"forwarder: what is {line.strip()!r}?")
        print("done", flush=True)


if __name__ == "__main__":
    main()
