"""What clients do to a server, and what happens to one of two servers behind a proxy, for faults.py."""

import http.client
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from fault_tools import Load, Place, Skipped, resident_mb, until

RUN = pathlib.Path(__file__).parents[2] / "deploy" / "serving" / "run.py"


def open_many_files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def connect(server):
    host, port = server.host.split(":")
    return socket.create_connection((host, int(port)), timeout=120)


def beside(folder, seconds, work):
    """Does work(server) under load; the figures of the load, with what the work gives."""
    place = Place(folder)
    server = place.serve()
    place.know_answers(server)
    before = resident_mb(server.process.pid)
    load = Load(place, server.url, seconds)
    more = work(server)
    after = resident_mb(server.process.pid)
    result = load.end().none_failed()
    assert server.stop() == 0
    return result.figures(memory_mb=after, memory_before_mb=before, **more)


def slowloris(folder, short):
    """500 clients that send a head a byte a second"""
    count, seconds = (200, 3) if short else (500, 13)

    def work(server):
        slow = [connect(server) for _ in range(count)]
        for one in slow:
            one.sendall(b"POST /v2/models/m/infer HTTP/1.1\r\nX: ")
        began, ended, longest = time.monotonic(), 0, 0.0
        while slow and time.monotonic() - began < seconds - 0.5:
            time.sleep(1)
            for one in list(slow):
                try:
                    one.sendall(b"x")
                    if select.select([one], [], [], 0)[0]:
                        raise ConnectionError
                except OSError:
                    one.close()
                    slow.remove(one)
                    ended += 1
                    longest = time.monotonic() - began
        for one in slow:
            one.close()
        if not short:
            # 10 s for a head, looked at four times a second.
            assert ended == count and longest < 12, (ended, longest)
        return {"clients": count, "ended_by_server": ended, "after_s": round(longest, 1)}
    return beside(folder, seconds, work)


def half_requests(folder, short):
    """requests that end in the middle, with and without a reset, and clients that are gone before the
    answer"""
    count = 300 if short else 3000
    body = b'{"inputs": []}' + b" " * 200
    whole = b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def work(server):
        for i in range(count):
            one = connect(server)
            one.sendall(whole[:1 + i * 7 % len(whole)])
            if i % 2:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        return {"clients": count}
    return beside(folder, 4 if short else 8, work)


def gigabytes(folder, short):
    """8 clients at once with a gigabyte each: announced, in chunks, and JSON without an end"""
    count = 4 if short else 8

    def work(server):
        refused, sent = [], []

        def client(i):
            one = connect(server)
            bytes_sent = 0
            try:
                if i % 2:
                    one.sendall(b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n")
                else:
                    one.sendall(b"POST /v1/predict/m HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                piece = b"[" * (1 << 20)
                for _ in range(1024):
                    one.sendall(piece if i % 2 else b"100000\r\n" + piece + b"\r\n")
                    bytes_sent += len(piece)
            except OSError:
                pass
            try:
                refused.append(one.recv(12))
            except OSError:
                refused.append(b"")
            sent.append(bytes_sent)
            one.close()
        threads = [threading.Thread(target=client, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert len(refused) == count, "a client with a gigabyte is still served"
        assert all(one in (b"", b"HTTP/1.1 413") for one in refused), refused
        # 64 MiB is the limit of a body, and some lie in sockets.
        assert max(sent) < 200 << 20, sent
        return {"clients": count, "most_sent_mb": max(sent) >> 20}
    return beside(folder, 4 if short else 8, work)


def idle(folder, short):
    """10,000 connections that say nothing"""
    count = min(2000 if short else 10_000, open_many_files() - 200)

    def work(server):
        kept = [connect(server) for _ in range(count)]
        time.sleep(1)
        memory = resident_mb(server.process.pid)
        for one in kept:
            one.close()
        return {"connections": count, "memory_with_them_mb": memory}
    return beside(folder, 5 if short else 10, work)


def proxied(folder, short):
    """one of two servers behind HAProxy: kill -9, SIGSTOP for two seconds; both started again in turn"""
    if not (shutil.which("haproxy") or os.path.exists("/usr/sbin/haproxy")):
        raise Skipped("HAProxy is not installed (Debian: haproxy)")
    folder = pathlib.Path(folder)
    folder.chmod(0o711)
    run = subprocess.Popen(
        [sys.executable, str(RUN), str(folder / "repository"), "--tandem", os.environ["TANDEM_PROGRAM"],
         "--folder", str(folder / "s"), "--https", "127.0.0.1:0", "--http", "127.0.0.1:0",
         "--requests-per-10-s", "1000000",
         *(["--answer-ms", "20000", "--", "--longest-wait-ms", "60000"] if short else
           ["--answer-ms", "500"])], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    try:
        line = run.stdout.readline()
        if not line.startswith("ready "):
            said = run.communicate(timeout=60)[1]
            raise Skipped(said.strip()) if run.returncode == 2 else AssertionError(said)
        url = re.search(r"(http://\S+)", line).group(1)
        place = Place(folder / "place", folder / "repository", line.split()[-1])
        server = Behind(url)
        # Both servers have seen it: each is asked, since the proxy draws one.
        until(lambda: all(server.ask("GET", "/v2/models/m/versions/2/ready")[0] == 200
                          for _ in range(16)))
        place.know_answers(server)
        program = pathlib.Path(os.environ["TANDEM_PROGRAM"]).name[:15]  # as the system keeps it
        children = lambda: [int(pid) for pid in subprocess.run(
            ["pgrep", "-P", str(run.pid), "-x", program], capture_output=True, text=True,
            check=False).stdout.split()]
        until(lambda: len(children()) == 2)
        parts = {}
        for name, number, rest in [("kill", signal.SIGKILL, 0), ("stop", signal.SIGSTOP, 2)]:
            load = Load(place, url, 5 if short else 10)
            victim = children()[0]
            os.kill(victim, number)
            since = time.monotonic()
            if rest:
                time.sleep(rest)
                os.kill(victim, signal.SIGCONT)
            result = load.end()
            until(lambda: len(children()) == 2)
            parts[name] = result.figures(recovered_s=round(result.recovered(since), 2))
            time.sleep(1)
        load = Load(place, url, 6 if short else 12)
        before = set(children())
        run.send_signal(signal.SIGUSR1)
        until(lambda: len(children()) == 2 and not before & set(children()))
        result = load.end()
        parts["restart"] = result.figures()
        assert result.failed == 0, result.found
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said
        asked = sum(one["asked"] for one in parts.values())
        failed = sum(one["failed"] for one in parts.values())
        return {"asked": asked, "failed": failed, "wrong": 0,
                "availability": round(1 - failed / asked, 5), **parts}
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=120)


class Behind:
    """As server.Server, of a server that somebody else has started."""

    def __init__(self, url):
        self.url = url
        self.host = url.removeprefix("http://")

    def connection(self):
        return http.client.HTTPConnection(self.host, timeout=120)

    def ask(self, method, path):
        connection = self.connection()
        connection.request(method, path)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content
