"""The wheel tandem-ml-cuda in an empty virtual environment: pip installs it beside tandem-ml, and
its devices are there; pip takes it away again, and nothing of it is left."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import numpy
import pytest

import tandem_ml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path(tandem_ml.__file__).parent
BUILD = PACKAGE.parents[1]

FITS = """
import json
import numpy as np
import tandem_ml
from tandem_ml.errors import DeviceError

x = np.random.default_rng(0).normal(size=(300, 5))
found = {"file": tandem_ml.__file__}
for device in ("cpu", "softgpu"):
    try:
        model = tandem_ml.KMeans(n_clusters=4, random_state=1, device=device).fit(x)
        found[device] = [value.hex() for value in model.cluster_centers_.ravel().tolist()]
    except DeviceError as error:
        found[device] = str(error)
print(json.dumps(found))
"""


def version():
    return re.search(r"project\(tandem VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if not (BUILD / "cmake_install.cmake").exists():
        pytest.skip("the package is no build folder's")
    if not (BUILD / "softgpu/libcudart.so.13").exists() or not (BUILD / "libtandem_cuda.so").exists():
        pytest.skip("the CUDA half and the software GPU are not built")
    done = subprocess.run([sys.executable, ROOT / "tools/cuda_wheel.py", "--build", BUILD, "--out",
                           tmp_path_factory.mktemp("wheel")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


@pytest.fixture
def environment(tmp_path):
    """Runs commands with the Python of a new virtual environment that has what the package depends on."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    packages = next((folder / "lib").glob("python3*")) / "site-packages"
    # NumPy and scikit-learn as they are here, found last, in place of a download.
    (packages / "dependencies.pth").write_text(str(pathlib.Path(numpy.__file__).parents[1]) + "\n")
    clean = {name: value for name, value in os.environ.items()
             if name not in ("PYTHONPATH", "LD_LIBRARY_PATH", "TANDEM_PROGRAM")}

    def run(*arguments):
        done = subprocess.run([folder / "bin/python", *arguments], capture_output=True, text=True,
                              env=clean, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.packages = packages
    return run


def test_the_software_gpu_comes_and_goes_with_its_wheel(environment, wheel):
    # What `pip install tandem-ml` would put there.
    subprocess.run(["cmake", "--install", BUILD, "--component", "python", "--prefix", environment.packages],
                   check=True, capture_output=True)
    before = sorted(environment.packages.rglob("tandem_ml*"))

    alone = json.loads(environment("-c", FITS))
    assert alone["file"].startswith(str(environment.packages))
    assert "pip install tandem-ml[cuda]" in alone["softgpu"]

    environment("-m", "pip", "install", "--no-index", "--no-deps", "--no-compile", wheel)
    found = json.loads(environment("-c", FITS))
    assert found["softgpu"] == found["cpu"] == alone["cpu"]
    assert (environment.packages / "tandem_ml/softgpu/libcudart.so.13").is_file()

    environment("-m", "pip", "uninstall", "--yes", "tandem-ml-cuda")
    assert sorted(environment.packages.rglob("tandem_ml*")) == before
    assert json.loads(environment("-c", FITS))["softgpu"] == alone["softgpu"]


def test_versions_agree(wheel):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["cuda"] == [f"tandem-ml-cuda=={version().rpartition('.')[0]}.*"]
    with zipfile.ZipFile(wheel) as members:
        names = members.namelist()
        metadata = members.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert f"Requires-Dist: tandem-ml=={version()}\n" in metadata
    # Under the names that programs ask for them by, once each.
    libraries = sorted(name.removeprefix("tandem_ml/") for name in names if ".so" in name)
    assert libraries == [f"libtandem_cuda.so.{version().rpartition('.')[0]}", "softgpu/libcublas.so.13",
                         "softgpu/libcublasLt.so.13", "softgpu/libcudart.so.13"]
