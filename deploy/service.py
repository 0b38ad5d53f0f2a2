"""What the services of deploy/ share: HAProxy with its certificate and its socket, the life of a program
that keeps others up, and small tools."""

import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).parent / "serving"))
from ports import free_port  # noqa: E402


class Missing(Exception):
    """Says which package is to be installed."""


def say(text):
    print(f"deploy: {text}", file=sys.stderr, flush=True)


def place(text):
    """ADDRESS:PORT with a free port in the place of 0."""
    address, _, port = text.rpartition(":")
    address = address or "127.0.0.1"
    return f"{address}:{port if port != '0' else free_port(address.strip('[]'))}"


def answers(port, path):
    """Whether a server answers 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as one:
            one.settimeout(1)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: tandem\r\nConnection: close\r\n\r\n".encode())
            return one.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


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


# Set once a signal has asked for the end: what waits for something else gives up.
ENDING = threading.Event()

# What keeps something from being started, asked or changed, and no reason to let the rest down.
TROUBLES = (RuntimeError, OSError, ValueError, LookupError, subprocess.SubprocessError)


def wait_until(condition, what, seconds, meanwhile=lambda: None):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(what)
        if ENDING.wait(0.05):
            raise RuntimeError("the end was asked for")
        meanwhile()


def write_whole(path, text):
    """The file has the old text or the new one, whenever this ends."""
    made = path.with_name(path.name + ".new")
    with open(made, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made.rename(path)


class Again:
    """Starts what has ended; one that does not start is tried again later, and the others go on
    meanwhile."""

    def __init__(self, after):
        self.after = after
        self.not_before = {}

    def start(self, name, start):
        if time.monotonic() < self.not_before.get(name, 0):
            return
        say(f"{name} ended; it is started again")
        try:
            start()
        except TROUBLES as why:
            say(str(why))
            self.not_before[name] = time.monotonic() + self.after


def haproxy():
    """The program, or Missing."""
    found = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not os.path.exists(found):
        raise Missing("HAProxy is not installed (Debian: haproxy)")
    return found


class Proxy:
    """HAProxy by configuration files that read their places from the environment."""

    def __init__(self, folder, files, https, http, certificate, patience):
        self.folder = folder
        self.files = files
        self.https = place(https)
        self.http = place(http) if http else None
        self.given_certificate = certificate
        self.patience = patience
        self.admin_socket = str(folder / "haproxy.sock")
        self.process = None

    def start(self, variables, running):
        """`running`: whether it is as far as it can get."""
        environment = dict(os.environ, TANDEM_HTTPS=self.https, TANDEM_CERTIFICATE=str(self.certificate()),
                           TANDEM_ADMIN_SOCKET=self.admin_socket, **variables)
        environment.pop("TANDEM_HTTP", None)
        if self.http:
            environment["TANDEM_HTTP"] = self.http
        log = open(self.folder / "haproxy.log", "ab")
        words = [word for file in self.files for word in ("-f", str(file))]
        self.process = subprocess.Popen([haproxy(), "-W", "-db", *words], stdout=log, stderr=log,
                                        env=environment)
        log.close()
        until = time.monotonic() + self.patience
        while not self.answers(running):
            if self.process.poll() is not None or time.monotonic() > until:
                text = (self.folder / "haproxy.log").read_text(errors="replace")
                raise RuntimeError(f"HAProxy did not start:\n{text[-2000:].strip()}")
            time.sleep(0.05)

    @staticmethod
    def answers(running):
        try:
            return running()
        except OSError:
            return False

    def certificate(self):
        if self.given_certificate:
            return pathlib.Path(self.given_certificate).absolute()
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

    def tell(self, command):
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
        lines = self.tell("show stat").splitlines()
        fields = lines[0].lstrip("# ").split(",")
        rows = [dict(zip(fields, line.split(","))) for line in lines[1:]]
        return {row["pxname"]: row for row in rows if row.get("svname") == name}

    def state(self, backend, name):
        """What HAProxy thinks of a server: UP, DOWN, MAINT, DRAIN."""
        row = self.rows(name).get(backend, {})
        return row["status"].split()[0] if row.get("status") else ""

    def under_way(self, name):
        """Requests that a server has been given and has not answered."""
        return sum(int(row["scur"]) for row in self.rows(name).values())

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)

    def ended(self):
        return self.process.poll() is not None

    def stop(self):
        """Lets no more in, answers what is under way, 30 s at most."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGUSR1)
        try:
            self.process.wait(timeout=35)  # the configuration's hard-stop-after and a little
        except subprocess.TimeoutExpired:
            end(self.process)


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
        if number in (signal.SIGTERM, signal.SIGINT):
            ENDING.set()
        if not self.ready and number in (signal.SIGTERM, signal.SIGINT):
            raise Interrupted
        self.come.append(number)

    def next(self, patience):
        """The next, or None after `patience` seconds."""
        self.ready = True
        if not self.come and select.select([self.reading], [], [], patience)[0]:
            os.read(self.reading, 100)
        return self.come.pop(0) if self.come else None


def add_proxy_arguments(parser):
    parser.add_argument("--https", default="127.0.0.1:8443", metavar="ADDRESS:PORT")
    parser.add_argument("--http", metavar="ADDRESS:PORT", help="the same without TLS; for this machine")
    parser.add_argument("--certificate", metavar="PEM", help="certificate, chain and key in one file")
    parser.add_argument("--requests-per-10-s", type=int, default=100_000, metavar="N",
                        help="of one address; more are answered with 429 (default: 100000)")
    parser.add_argument("--connections-per-client", type=int, default=1_000, metavar="N")


def parse(parser, program):
    """The arguments; those after -- are `options` of the program."""
    parser.epilog = f"What comes after -- are further options of {program}."
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:split])
    arguments.options = words[split + 1:]
    return arguments


class Careful:
    """Does what keeps a service up. What goes wrong is said, once a minute where it goes on, and is
    tried again with the next call: the rest of the service does not end with it."""

    def __init__(self):
        self.said = {}

    def __call__(self, work):
        try:
            work()
        except TROUBLES as why:
            text = str(why)
            if time.monotonic() - self.said.get(text, -60.0) >= 60:
                self.said[text] = time.monotonic()
                say(text)


def run(service, ready, moment=0.2):
    """Starts a service, keeps it up until a signal ends it, and returns the exit status. `ready` gives
    the line to print once it answers. The service has start(), keep_up(), reload(), restart_in_turn()
    and stop(), which is true where all ended well."""
    status = 0
    signals = Signals()
    careful = Careful()
    try:
        service.start()
        print(ready(), flush=True)
        while (number := signals.next(moment)) not in (signal.SIGTERM, signal.SIGINT):
            if number is None:
                careful(service.keep_up)
            elif number == signal.SIGHUP:
                careful(service.reload)
            elif number == signal.SIGUSR1:
                careful(service.restart_in_turn)
    except Missing as why:
        say(str(why))
        status = 2
    except TROUBLES as why:
        say(str(why))
        status = 1
    except Interrupted:
        status = 130
    signals.ready = True  # what ends everything is not ended itself
    if not service.stop() and status == 0:
        status = 1
    return status
