#!/usr/bin/env python3
"""Runs the commands of a Markdown page, or checks them.

    run_commands.py run  --root DIR --tandem PROGRAM [--nvcc NVCC] --scratch DIR PAGE
    run_commands.py check --root DIR --tandem PROGRAM --most-not-run N PAGE...

`run` executes every fenced block marked `sh` of the page, one after the other, in a copy of the
folders data/ and examples/: a reader who types the page's commands in order. `tandem` and `nvcc` are
on PATH; `./dev run ...`, `./dev gpu ...` and `./dev nvcc ...` stand for them. A line before the block
may say

    <!-- not run: REASON -->        the block is left out
    <!-- ends with: 86 -->          the exit status of its last command
    <!-- part of: FILE -->          a block of C++, each line of which stands in FILE, in this order;
                                    FILE is compiled and run by another test

`check` goes by the text alone: commands, algorithms and options of every `tandem ...` in a block or
in code between backquotes exist; no block without a language holds a command; no more than N blocks
are left out; links to files and headings lead to some; docs/README.md lists every page of docs/.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

FENCE = re.compile(r"^(\s*)```(\w*)\s*$")
COMMENT = re.compile(r"^\s*<!--\s*(not run|ends with|part of):\s*(.*?)\s*-->\s*$")


class Block:
    """A fenced block: its line in the page, its language, its text and what is said before it."""

    def __init__(self, line, language, said):
        self.line = line
        self.language = language
        self.not_run = said.get("not run")
        self.status = int(said.get("ends with", 0))
        self.part_of = said.get("part of")
        self.lines = []

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def blocks_of(page):
    blocks, block, said = [], None, {}
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if block is not None:
            if fence and not fence.group(2):
                blocks.append(block)
                block = None
            else:
                block.lines.append(line)
        elif fence:
            block = Block(number, fence.group(2), said)
            said = {}
        else:
            comment = COMMENT.match(line)
            if comment:
                said[comment.group(1)] = comment.group(2)
            elif line.strip():
                said = {}
    if block is not None:
        sys.exit(f"{page}:{block.line}: the block does not end")
    return blocks


def write_program(path, text):
    path.write_text("#!/bin/bash\n" + text)
    path.chmod(0o755)


def run(arguments):
    page = arguments.pages[0].resolve()
    scratch = arguments.scratch.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for folder in ("data", "examples"):
        shutil.copytree(arguments.root / folder, scratch / folder)
    programs = scratch / ".programs"
    programs.mkdir()
    tandem = shlex.quote(str(arguments.tandem.resolve()))
    write_program(programs / "tandem", f'exec {tandem} "$@"\n')
    if arguments.nvcc:
        write_program(programs / "nvcc", f'exec {shlex.quote(str(arguments.nvcc))} "$@"\n')
    write_program(scratch / "dev", """case "$1" in
  run) shift; exec tandem "$@" ;;
  nvcc) shift; exec nvcc "$@" ;;
  *) echo "./dev $1 does not run inside a test: say <!-- not run: why --> before the block" >&2
     exit 97 ;;
esac
""")
    environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
    failed = ran = 0
    for block in blocks_of(page):
        place = f"{page.name}:{block.line}"
        if block.language != "sh":
            continue
        if block.not_run:
            print(f"{place}: not run: {block.not_run}")
            continue
        # What is built by nvcc, and what counts the work of Tandem's own kernels, which it compiles.
        if re.search("nvcc|--estimate", block.text) and not arguments.nvcc:
            print(f"{place}: skipped: there is no nvcc")
            continue
        ran += 1
        began = time.monotonic()
        # As somebody who types them does: a command that fails ends the block, but for the last.
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", block.text], cwd=scratch,
                              env=environment, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, check=False)
        seconds = time.monotonic() - began
        print(f"{place}: status {done.returncode}, {seconds:.1f} s")
        if done.returncode != block.status:
            failed += 1
            print(f"  expected status {block.status} of:\n{block.text}\n{done.stdout}{done.stderr}")
    print(f"{ran} blocks ran, {failed} failed")
    if not failed:
        shutil.rmtree(scratch)
    return failed > 0


def output_of(tandem, *words):
    done = subprocess.run([tandem, *words], capture_output=True, text=True, check=False)
    return done.stdout


class Program:
    """What the program knows, by its help pages."""

    def __init__(self, tandem):
        self.tandem = tandem
        overview = output_of(tandem)
        self.commands = set(re.findall(r"^  ([a-z][a-z-]*) ", overview, flags=re.M))
        parts = overview.split("\nAlgorithms:\n")
        self.algorithms = set(re.findall(r"^  ([a-z][a-z-]*) ", parts[1], flags=re.M))
        self.commands -= self.algorithms
        self.options = {}

    def options_of(self, command, algorithm):
        key = (command, algorithm)
        if key not in self.options:
            words = ["help", command] + ([algorithm] if algorithm else [])
            text = output_of(self.tandem, *words)
            self.options[key] = set(re.findall(r"--[a-z][a-z0-9-]*", text)) | {"--help", "--version"}
        return self.options[key]

    def wrong(self, words):
        """What is wrong with the command line, or None."""
        words = words[1:]
        if not words or words[0].startswith("-"):
            return None
        command = words[0]
        if not re.fullmatch(r"[a-z][a-z-]*", command):
            return None  # a placeholder such as COMMAND
        if command not in self.commands:
            return f"no command '{command}'"
        if "--" in words:
            words = words[:words.index("--")]
        algorithm = next((word for word in words[1:] if word in self.algorithms), None)
        for word in words[1:]:
            option = word.split("=")[0].replace("_", "-")
            if not re.fullmatch(r"--[a-z][a-z0-9-]*", option):
                continue
            tried = [algorithm] if algorithm else [None, *sorted(self.algorithms)]
            if not any(option in self.options_of(command, one) or
                       option.replace("--no-", "--", 1) in self.options_of(command, one)
                       for one in tried):
                return f"'{command}' has no option {option}"
        return None


def command_lines(text):
    """The `tandem` command lines in a block's or a backquoted text, as words."""
    text = re.sub(r"\\\n\s*", " ", text)
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).replace("...", " ").replace("…", " ")
        for piece in re.split(r"\|\|?|&&|;|\$\(|<\(", line):
            piece = re.sub(r"^\s*([A-Z_]+=\S*\s+)*(time\s+)?", "", piece).strip()
            piece = re.sub(r"^\./dev run ", "tandem ", piece)
            if not piece.startswith("tandem "):
                continue
            yield re.sub(r"[\[\]()<>]", " ", piece).split()


def missing_line(block, path):
    """The first line of a block that a file does not have after those before it, or None."""
    if not path.is_file():
        return f"there is no {path.name}"
    lines = iter(line.strip() for line in path.read_text().splitlines())
    for line in block.lines:
        if line.strip() and line.strip() not in lines:
            return f"{path.name} does not have the line in this place: {line.strip()}"
    return None


LINK = re.compile(r"\]\(([^)\s]+)\)")


def headings_of(path):
    """The names by which a page's headings are linked to, as GitHub makes them."""
    names = []
    for heading in re.findall(r"^#+ (.*)$", path.read_text(), flags=re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        names.append(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return names


def wrong_links(pages, root):
    wrong = []
    for page in pages:
        for link in LINK.findall(page.read_text()):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, heading = link.partition("#")
            path = page.parent / file if file else page
            if not path.exists():
                wrong.append(f"{page.name}: leads nowhere: {link}")
            elif heading and path.suffix == ".md" and heading not in headings_of(path):
                wrong.append(f"{page.name}: leads to no heading: {link}")
    index = root / "docs" / "README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve()
              for link in LINK.findall(index.read_text())}
    for folder in ("docs", "docs/algorithms"):
        for page in sorted((root / folder).glob("*.md")):
            if page.resolve() not in listed and page != index:
                wrong.append(f"docs/README.md does not list {folder}/{page.name}")
    return wrong


def check(arguments):
    program = Program(arguments.tandem)
    if len(program.commands) < 5 or len(program.algorithms) < 3:
        sys.exit("the program's overview could not be read")
    wrong = []
    not_run = []
    seen = 0
    for page in arguments.pages:
        text = page.read_text()
        for block in blocks_of(page):
            place = f"{page.name}:{block.line}"
            if block.language == "sh" and block.not_run is not None:
                if len(block.not_run) < 10:
                    wrong.append(f"{place}: the block is not run, and does not say why")
                not_run.append(f"{place}: {block.not_run}")
            if not block.language and re.search(r"^\s*(\$ |\./dev |tandem |nvcc )", block.text,
                                                flags=re.M):
                wrong.append(f"{place}: commands in a block that is not marked `sh`")
            if block.part_of:
                missing = missing_line(block, arguments.root / block.part_of)
                if missing:
                    wrong.append(f"{place}: {missing}")
            if block.language == "text":
                # A synopsis: which of the options go together is not looked at.
                for line in block.lines:
                    if line.startswith("tandem "):
                        seen += 1
                        words = line.split()[:3] + re.findall(r"--[a-z][a-z0-9-]*", line)
                        problem = program.wrong(words)
                        if problem:
                            wrong.append(f"{place}: {problem}: {line}")
            if block.language == "sh":
                for words in command_lines(block.text):
                    seen += 1
                    problem = program.wrong(words)
                    if problem:
                        wrong.append(f"{place}: {problem}: {' '.join(words)}")
        outside = re.sub(r"^(\s*)```.*?^\s*```\s*$", lambda m: "\n" * m.group(0).count("\n"), text,
                         flags=re.S | re.M)
        for found in re.finditer(r"`([^`\n]+)`", outside):
            for words in command_lines(found.group(1)):
                seen += 1
                problem = program.wrong(words)
                if problem:
                    line = outside.count("\n", 0, found.start()) + 1
                    wrong.append(f"{page.name}:{line}: {problem}: {' '.join(words)}")
    wrong += wrong_links(arguments.pages, arguments.root)
    for line in not_run:
        print(f"not run: {line}")
    if len(not_run) != arguments.most_not_run:
        wrong.append(f"{len(not_run)} blocks are not run; tests/docs/CMakeLists.txt says "
                     f"{arguments.most_not_run}, which may become less, not more")
    for line in wrong:
        print(line)
    print(f"{seen} commands on {len(arguments.pages)} pages looked at, {len(wrong)} wrong")
    return bool(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=("run", "check"))
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--tandem", required=True, type=pathlib.Path)
    parser.add_argument("--nvcc", default="")
    parser.add_argument("--scratch", type=pathlib.Path)
    parser.add_argument("--most-not-run", type=int, default=0)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    sys.exit(run(arguments) if arguments.action == "run" else check(arguments))


if __name__ == "__main__":
    main()
