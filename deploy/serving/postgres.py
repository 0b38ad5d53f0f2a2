"""A PostgreSQL of our own, of Debian's package postgresql, in a folder and behind a socket in it."""

import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from service import Missing  # noqa: E402


def binaries(version=None):
    """The folder of PostgreSQL's programs: of a major version, or the newest."""
    found = {path.split("/")[-2]: path for path in glob.glob("/usr/lib/postgresql/*/bin")
             if os.path.exists(path + "/initdb")}
    if not found:
        raise Missing("PostgreSQL is not installed (Debian: postgresql)")
    if version is None:
        version = max(found, key=float)
    if version not in found:
        raise Missing(f"PostgreSQL {version}, which made the data, is not installed")
    return found[version]


def user_words():
    """What goes before a command of PostgreSQL's, which refuses to run as root."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("PostgreSQL does not run as root, and there is no user postgres") from None
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def require():
    """Throws Missing where PostgreSQL cannot be started here."""
    binaries()
    user_words()


class Postgres:
    """The process is a child of this one; where that is root's, it runs as the user postgres."""

    def __init__(self, folder, *settings):
        self.folder = pathlib.Path(folder).absolute()
        self.data = self.folder / "data"
        self.settings = settings
        self.process = None
        self.as_user = user_words()
        # The place of a socket has room for 107 bytes.
        if len(str(self.folder / ".s.PGSQL.5432.lock")) > 100:
            raise Missing(f"{self.folder}: the path is too long for PostgreSQL's socket")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        version = self.data / "PG_VERSION"
        self.binaries = binaries(version.read_text().strip() if version.exists() else None)
        if not version.exists():
            made = subprocess.run([*self.as_user, f"{self.binaries}/initdb", "-D", str(self.data), "-A",
                                   "trust", "-U", "tandem", "--no-sync"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, cwd="/", check=False)
            if made.returncode != 0:
                raise RuntimeError(f"initdb failed in {self.folder}:\n{made.stdout[-2000:]}")
        # Only who may enter the folder reaches the socket; the password is there to be looked for in
        # logs by tests.
        self.url = f"postgresql://tandem:secret@/postgres?host={self.folder}"

    def start(self):
        log = open(self.folder / "log", "ab")
        settings = [f"unix_socket_directories={self.folder}", "listen_addresses=", *self.settings]
        self.process = subprocess.Popen(
            [*self.as_user, f"{self.binaries}/postgres", "-D", str(self.data),
             *[word for setting in settings for word in ("-c", setting)]],
            stdout=log, stderr=subprocess.STDOUT, cwd="/")
        log.close()
        end = time.monotonic() + 60
        while subprocess.run([f"{self.binaries}/pg_isready", "-q", "-h", str(self.folder)],
                             check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                text = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{text[-2000:]}")
            time.sleep(0.05)

    def pids(self):
        """Of the server and of those that serve a connection each."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                                capture_output=True, text=True, check=False).stdout.split()
        return [self.process.pid, *map(int, listed)]

    def stop(self, number=2):
        """SIGINT ends connections and writes all; 3 (SIGQUIT) ends as a crash does."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(timeout=60)
        self.process = None
