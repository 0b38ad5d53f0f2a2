#!/usr/bin/env python3
"""Makes the wheel tandem-ml-cuda of what a build folder holds: the CUDA half and the software GPU.

    cuda_wheel.py --build FOLDER --out FOLDER

Its files lie beside those of tandem-ml, in the folder of the package tandem_ml, which looks for them
there. Prints the path of the wheel, which takes the libraries that its own are linked with from the
system: `./dev wheel cuda` has auditwheel put them in.
"""

import argparse
import base64
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


def project_version():
    return re.search(r"project\(tandem VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


def metadata(version):
    return f"""Metadata-Version: 2.4
Name: tandem-ml-cuda
Version: {version}
Summary: The CUDA half of tandem-ml, and a CUDA device made of software
License-Expression: Apache-2.0
License-File: LICENSE
License-File: NOTICE
Requires-Python: >=3.11
Requires-Dist: tandem-ml=={version}
Requires-Dist: nvidia-cuda-runtime<14,>=13.0
Provides-Extra: fast
Requires-Dist: nvidia-cublas<14,>=13.0; extra == "fast"
Description-Content-Type: text/markdown

With this, the estimators of [tandem-ml](https://pypi.org/project/tandem-ml/) run on NVIDIA GPUs
(`device="cuda"`, with driver 580 or later) and on a GPU made of software (`device="softgpu"`). The
extra `fast` brings cuBLAS, which `numerics="fast"` takes for products of matrices on a GPU.
"""


def libraries(build, folder):
    """Their contents by their place in the package, stripped and with the run paths of an
    installation."""
    done = subprocess.run(["cmake", "--install", build, "--component", "cuda-wheel", "--prefix", folder,
                           "--strip"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cuda_wheel.py: {build}: {done.stderr or done.stdout}\nbuild tandem_cuda, softgpu_cudart, "
                 "softgpu_cublas and softgpu_cublaslt first")
    found = {}
    for path in sorted(folder.rglob("*")):
        # Wheels hold no symbolic links: a library is there under the name that it is asked for by.
        if path.is_file() and (path.is_symlink() or not has_link(path)):
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    if "tandem_ml/softgpu/libcudart.so.13" not in found or len(found) < 4:
        sys.exit(f"cuda_wheel.py: {build} was configured without nvcc or without the software GPU")
    return found


def has_link(path):
    return any(other.is_symlink() and other.resolve() == path.resolve() for other in path.parent.iterdir())


def write_wheel(build, out):
    version = project_version()
    info = f"tandem_ml_cuda-{version}.dist-info"
    with tempfile.TemporaryDirectory() as folder:
        members = libraries(build, pathlib.Path(folder))
    for name in ("LICENSE", "NOTICE"):
        members[f"{info}/licenses/{name}"] = (ROOT / name).read_bytes()
    members[f"{info}/METADATA"] = metadata(version).encode()
    members[f"{info}/WHEEL"] = (b"Wheel-Version: 1.0\nGenerator: cuda_wheel.py\nRoot-Is-Purelib: false\n"
                                b"Tag: py3-none-linux_x86_64\n")
    record = "".join(f"{name},sha256={digest(content)},{len(content)}\n"
                     for name, content in members.items()) + f"{info}/RECORD,,\n"
    members[f"{info}/RECORD"] = record.encode()
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"tandem_ml_cuda-{version}-py3-none-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            # Of one date and one mode: the same libraries make the same wheel.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if ".so" in name else 0o644) << 16
            wheel.writestr(entry, content)
    return path


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    print(write_wheel(arguments.build, arguments.out))


if __name__ == "__main__":
    main()
