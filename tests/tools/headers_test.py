#!/usr/bin/env python3
"""Checks what public headers and programs include.

    headers_test.py --source DIR --generated DIR --compiler c++ --eigen DIR

Every public header compiles by itself, and brings in nothing but Tandem's own, the standard
library's and the system's headers (tandem/data/eigen.hpp: Eigen's too), whatever it includes by way
of others. It names nothing that only implementations of devices use. tandem/tandem.hpp includes all
of them but tandem/data/eigen.hpp. The programs include public headers only, and those that the rooms
beside libtandem have for them.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Needs Eigen, which not every user of Tandem has.
NEEDS_EIGEN = "tandem/data/eigen.hpp"
# The interface of implementations and drivers (core/engine_backend.hpp, core/random.hpp, ...).
NOT_FOR_USERS = re.compile(r"\b(OptimizerSteps|begin_repeated|steps_factory|Purpose)\b")
# What rooms beside libtandem have for programs: the agreement of the engines and the software GPU.
OF_OTHER_ROOMS = {
    "agree/agreement.hpp", "softgpu/models.hpp", "softgpu/fatbin/fatbin.hpp",
    "softgpu/check/finding_list.hpp", "softgpu/check/sarif.hpp", "softgpu/profile/profile.hpp",
    "softgpu/profile/estimate.hpp", "softgpu/profile/explain.hpp"}
# Libraries over libtandem, which are for programs as a whole.
ROOMS_FOR_PROGRAMS = ("systems/", "course/")
GENERATED = {"tandem/config.hpp", "tandem/tandem.hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def standard_folders(compiler):
    """The folders of the standard library, the compiler and the C library."""
    run = subprocess.run([compiler, "-x", "c++", "-E", "-v", os.devnull], capture_output=True,
                         text=True, check=True)
    text = run.stderr
    listed = text[text.index("#include <...> search starts here:"):text.index("End of search list")]
    return [os.path.realpath(line.strip()) for line in listed.splitlines()[1:]]


def is_of_the_system(file, folders):
    """Whether a header belongs to C++, C or the system, by where it lies.

    Other libraries install into the same /usr/include, in folders of their own; those of C and the
    system are known."""
    for folder in sorted(folders, key=len, reverse=True):
        if not file.startswith(folder + "/"):
            continue
        if not re.fullmatch(r"(/usr(/local)?/include)", folder):
            return True  # the compiler's own, or the machine's
        below = file[len(folder) + 1:]
        return "/" not in below and below.endswith(".h") or re.match(
            r"(c\+\+|bits|sys|gnu|asm|asm-generic|linux)/", below) is not None
    return False


def check_header(header, arguments, folders, scratch):
    """The findings about one public header, as a list of texts."""
    include = arguments.source / "include"
    name = str(header.relative_to(include))
    found = []
    code = re.sub(r"//[^\n]*", "", header.read_text())
    for word in sorted(set(NOT_FOR_USERS.findall(code))):
        found.append(f"{name} names {word}, which is for implementations of devices only")
    unit = scratch / (name.replace("/", "-") + ".cpp")
    unit.write_text(f'#include "{name}"\n')
    dependencies = unit.with_suffix(".d")
    eigen = ["-isystem", str(arguments.eigen)] if name == NEEDS_EIGEN else []
    run = subprocess.run(
        [arguments.compiler, "-std=c++20", "-fsyntax-only", "-MD", "-MF", str(dependencies),
         "-I", str(include), "-I", str(arguments.generated), *eigen, str(unit)],
        capture_output=True, text=True)
    if run.returncode != 0:
        return found + [f"{name} does not compile by itself:\n{run.stderr}"]
    ours = [str(include.resolve()), str(arguments.generated.resolve()), str(scratch.resolve())]
    listed = dependencies.read_text().replace("\\\n", " ").split(":", 1)[1]
    for file in listed.split():
        real = os.path.realpath(file)
        if any(real.startswith(folder + "/") for folder in ours):
            continue
        if is_of_the_system(real, folders):
            continue
        if name == NEEDS_EIGEN and real.startswith(os.path.realpath(arguments.eigen) + "/Eigen/"):
            continue
        found.append(f"{name} includes {real}, of another library")
        break
    return found


def check_whole(headers, include, whole):
    """Whether the generated tandem.hpp includes every public header."""
    included = {path for _, path in INCLUDE.findall(whole.read_text())}
    for header in headers:
        name = str(header.relative_to(include))
        if name not in included | {NEEDS_EIGEN}:
            yield f"tandem/tandem.hpp does not include {name}"


def check_program(file, source):
    """What a source file of the programs includes that is not public."""
    for kind, path in INCLUDE.findall(file.read_text()):
        if (kind == "<" or path in OF_OTHER_ROOMS or path in GENERATED
                or path.startswith(ROOMS_FOR_PROGRAMS)):
            continue
        # apps/tandem/x.hpp and include/tandem/x.hpp are both "tandem/x.hpp".
        if any((source / room / path).is_file() for room in ("include", "apps")):
            continue
        yield f"{file.relative_to(source)} includes {path}, which is not public"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--generated", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--eigen", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    include = arguments.source / "include"
    headers = sorted(include.rglob("*.hpp"))
    programs = sorted([*(arguments.source / "apps").rglob("*.hpp"),
                       *(arguments.source / "apps").rglob("*.cpp")])
    if not headers or not programs:
        sys.exit(f"no headers or no programs in {arguments.source}")
    folders = standard_folders(arguments.compiler)
    whole = arguments.generated / "tandem/tandem.hpp"
    found = list(check_whole(headers, include, whole))
    for file in programs:
        found += check_program(file, arguments.source)
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        for findings in pool.map(
                lambda header: check_header(header, arguments, folders, pathlib.Path(scratch)),
                headers):
            found += findings
    for text in found:
        print(text)
    print(f"{len(headers)} public headers and {len(programs)} files of programs: "
          f"{len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
