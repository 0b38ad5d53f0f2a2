"""The kernel lab from Python: CUDA programs on the software GPU, by the program `tandem`.

The program is found by the environment variable TANDEM_PROGRAM, else on PATH. docs/kernel-lab.md has
what the checker finds.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from .errors import InputError

__all__ = ["Check", "Profile", "Run", "check", "profile", "run"]


class Run:
    """What a program did.

    Attributes
    ----------
    returncode : int
    stdout, stderr : str
    report : dict
        The software GPU's report: executed instructions and exactness by kernel, and counters where
        they were asked for.
    """

    def __init__(self, returncode, stdout, stderr, report):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        self.report = report

    def to_frame(self):
        """A row per kernel, as a data frame of pandas."""
        import pandas

        return pandas.json_normalize(self.report.get("kernels", []))

    def __repr__(self):
        return f"<Run: status {self.returncode}, {len(self.report.get('kernels', []))} kernels>"


class Check:
    """What the checker found in a program.

    Attributes
    ----------
    returncode : int
    stdout, stderr : str
    findings : list of dict
    errors, notices : int
    """

    def __init__(self, returncode, stdout, stderr, found):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        self.findings = found["findings"]
        self.errors = found["errors"]
        self.notices = found["notices"]

    def to_frame(self):
        """A row per finding, as a data frame of pandas."""
        import pandas

        return pandas.json_normalize(self.findings)

    def __repr__(self):
        lines = [f"{self.errors} errors, {self.notices} notices"]
        lines += [f"{one['severity']}: {one['kind']}: {one['message']}" for one in self.findings]
        return "\n".join(lines)


class Profile:
    """What a program's kernels did, counted, and with a device how long it would take: an estimate.

    Attributes
    ----------
    returncode : int
    stdout, stderr : str
    kernels : list of dict
        One for each kernel and configuration, with its `metrics` and its `lines` of source, and with
        a device its `estimate`.
    report : dict
        All of it; docs/schema/gpu-profile.json describes it.
    """

    def __init__(self, returncode, stdout, stderr, report):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        self.report = report
        self.kernels = report["kernels"]

    def to_frame(self):
        """A row per kernel with its metrics, as a data frame of pandas."""
        import pandas

        return pandas.DataFrame([
            {"kernel": one["name"], "launches": one["launches"], **one["metrics"],
             **({"estimated_seconds": one["estimate"]["seconds"]} if "estimate" in one else {})}
            for one in self.kernels])

    def __repr__(self):
        return f"<Profile: status {self.returncode}, {len(self.kernels)} kernels>"


def run(program, *arguments, count=False, timeout=None, **options):
    """Runs a CUDA program, or compiles and runs a `.cu` file, on the software GPU.

    Further options are those of `tandem gpu run`, with underscores: model="h100", schedule_seed=3.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-ml-") as folder:
        program = _built(program, folder)
        report = pathlib.Path(folder) / "report.json"
        flags = ["--count"] if count else []
        done = _tandem("gpu", "run", "--report", report, *flags, *_flags(options), "--", program,
                       *arguments, timeout=timeout)
        _require_started(done, report, "run")
        return Run(done.returncode, done.stdout, done.stderr, json.loads(report.read_text()))


def check(program, *arguments, timeout=None, **options):
    """Runs a CUDA program, or a `.cu` file, under the checker: races, uninitialised memory, accesses out
    of bounds and more.

    Further options are those of `tandem gpu check`, with underscores: only="race".
    """
    with tempfile.TemporaryDirectory(prefix="tandem-ml-") as folder:
        found = pathlib.Path(folder) / "findings.json"
        done = _tandem("gpu", "check", "--findings", found, *_flags(options), "--", _path(program),
                       *arguments, timeout=timeout)
        _require_started(done, found, "check")
        return Check(done.returncode, done.stdout, done.stderr, json.loads(found.read_text()))


def profile(program, *arguments, device=None, timeout=None, **options):
    """Runs a CUDA program, or a `.cu` file, under the profiler, which counts what each kernel and each
    line of source does. With `device` ("h100", "a100" or "rtx4090") it estimates times for that GPU.

    Further options are those of `tandem gpu profile`, with underscores: kernel="scan*", launch=2.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-ml-") as folder:
        made = pathlib.Path(folder) / "profile.json"
        done = _tandem("gpu", "profile", "--out", made, *_flags({"device": device, **options}), "--",
                       _path(program), *arguments, timeout=timeout)
        _require_started(done, made, "profile")
        return Profile(done.returncode, done.stdout, done.stderr, json.loads(made.read_text()))


def _program():
    chosen = os.environ.get("TANDEM_PROGRAM")
    path = chosen or shutil.which("tandem")
    if not path or not os.access(path, os.X_OK):
        raise InputError(
            (f"TANDEM_PROGRAM: {chosen} is no program" if chosen else "the program tandem is not on PATH")
            + "; the kernel lab runs in it: build it with ./dev build, and set TANDEM_PROGRAM to its path "
            "or add its folder to PATH")
    return path


def _tandem(*arguments, timeout):
    return subprocess.run([_program(), *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=timeout, check=False)


def _built(program, folder):
    path = _path(program)
    if path.suffix != ".cu":
        return path
    built = pathlib.Path(folder) / path.stem
    done = _tandem("gpu", "build", path, "-o", built, timeout=None)
    if done.returncode != 0:
        raise InputError(f"{path} does not compile:\n{done.stderr}")
    return built


def _path(program):
    path = pathlib.Path(program)
    if not path.exists():
        raise InputError(f"program: there is no file {path}")
    return path.resolve()


def _flags(options):
    flags = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            flags.append(flag)
        elif value is not False and value is not None:
            flags += [flag, str(value)]
    return flags


def _require_started(done, written, action):
    if not written.exists():
        raise InputError(f"tandem gpu {action} ended with status {done.returncode} before it could report:\n"
                         + done.stderr)
