#!/usr/bin/env python3
"""Checks the C++ tree with Clang: compiles every file (without generating code) and runs clang-tidy.

Works from the compilation database of a build folder. Writes a Ninja file and runs it, so that a
second run checks only what has changed since, headers included. A file is first compiled and, where
that succeeds, given to clang-tidy if it belongs to what .clang-tidy is meant for.

    tools/lint.py --build build/release [--no-tidy] [FILE or FOLDER...]
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Options of GCC that Clang does not know or that only name what to write. (No code is generated.)
DROPPED_WITH_VALUE = {"-o", "-MF", "-MT", "-MQ", "-include"}
DROPPED = {"-c", "-MD", "-MMD", "-Winvalid-pch", "-fno-ipa-icf",
           "-fno-reorder-blocks-and-partition"}

# Where Clang 14 and GCC 12 differ. GCC's -Wconversion does not ask about signs; its pragmas choose
# instruction sets; headers that are compiled once for every instruction set leave functions and types
# unused. The header that is included first declares what Clang 14 lacks of C++20.
CLANG_OPTIONS = ["-Wno-unknown-warning-option", "-Wno-sign-conversion", "-Wno-unknown-pragmas",
                 "-Wno-unused-function", "-Wno-unused-local-typedef",
                 "-include", str(ROOT / "tools" / "clang14.hpp")]


def clang_arguments(entry):
    """The arguments of one entry of the database, for Clang, without outputs."""
    words = entry.get("arguments") or shlex.split(entry["command"])
    kept = []
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in DROPPED_WITH_VALUE:
            skip = True
        elif word not in DROPPED and word != entry["file"]:
            kept.append(word)
    return kept + CLANG_OPTIONS


def quote(words):
    return " ".join(shlex.quote(word) for word in words).replace("$", "$$")


def path(name):
    return str(name).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def write_ninja(folder, entries, tidy):
    database = [{"directory": entry["directory"], "file": str(entry["file"]),
                 "arguments": ["clang++", *entry["words"], "-c", str(entry["file"])]}
                for entry in entries]
    (folder / "compile_commands.json").write_text(json.dumps(database, indent=1))
    lines = [
        "rule compile",
        "  command = cd $directory && clang++ $arguments -fsyntax-only -MD -MF $out.d -MT $out $in"
        " && touch $out",
        "  depfile = $out.d",
        "  deps = gcc",
        "  description = clang $name",
        "rule tidy",
        "  command = clang-tidy -p . --quiet --warnings-as-errors='*' $in 2>$out.errors || "
        "{ grep -i error $out.errors; exit 1; } && touch $out",
        "  description = clang-tidy $name",
    ]
    outputs = []
    for entry in entries:
        name = entry["file"].relative_to(ROOT)
        compiled = folder / f"{name}.compiled"
        compiled.parent.mkdir(parents=True, exist_ok=True)
        lines += [
            f"build {path(compiled)}: compile {path(entry['file'])}",
            f"  directory = {path(entry['directory'])}",
            f"  arguments = {quote(entry['words'])}",
            f"  name = {name}",
        ]
        outputs.append(compiled)
        if tidy:
            checked = folder / f"{name}.tidy"
            lines += [
                f"build {path(checked)}: tidy {path(entry['file'])} | {path(compiled)}"
                f" {path(ROOT / '.clang-tidy')}",
                f"  name = {name}",
            ]
            outputs.append(checked)
    lines.append("build all: phony " + " ".join(path(output) for output in outputs))
    lines.append("default all")
    text = "\n".join(lines) + "\n"
    file = folder / "build.ninja"
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
    return file


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, required=True,
                        help="a configured and built folder (generated headers are read)")
    parser.add_argument("--jobs", "-j", type=int, default=2)
    parser.add_argument("--no-tidy", action="store_true", help="compile only")
    parser.add_argument("paths", nargs="*", help="only files that are, or lie in, one of these")
    arguments = parser.parse_args()

    build = arguments.build.resolve()
    chosen = [pathlib.Path(name).resolve() for name in arguments.paths]
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["directory"], entry["file"]).resolve()
        # What CMake generates is not ours to lint; a file of several targets is checked once.
        if file in entries or build in file.parents or ROOT not in file.parents:
            continue
        if chosen and not any(one == file or one in file.parents for one in chosen):
            continue
        entries[file] = {"file": file, "directory": entry["directory"],
                         "words": clang_arguments(entry)}
    if not entries:
        sys.exit("lint.py: no file of the compilation database is, or lies in, "
                 + ", ".join(arguments.paths))

    folder = build / "lint"
    folder.mkdir(exist_ok=True)
    ninja = write_ninja(folder, [entries[file] for file in sorted(entries)],
                        not arguments.no_tidy)
    sys.exit(subprocess.run(["ninja", "-C", folder, "-f", ninja, "-k", "0",
                             f"-j{arguments.jobs}"]).returncode)


if __name__ == "__main__":
    main()
