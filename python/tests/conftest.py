"""The Python package's tests. They import what PYTHONPATH leads to: the build folder under `./dev
test`, an installed wheel elsewhere."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also the tests that take long")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    kept = [item for item in items if item.get_closest_marker("long") is None]
    left_out = [item for item in items if item.get_closest_marker("long") is not None]
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture(scope="session")
def data_folder():
    return ROOT / "data"


@pytest.fixture(scope="session")
def program():
    """Runs `tandem`; skips where it is not built."""
    path = os.environ.get("TANDEM_PROGRAM", str(ROOT / "build/release/apps/tandem"))
    if not os.access(path, os.X_OK):
        pytest.skip("the program tandem is not built")

    def run(*arguments):
        done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
