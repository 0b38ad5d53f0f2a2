#!/usr/bin/env python3
"""Builds CUDA programs of other projects and runs them on the software GPU.

llm.c's dev/cuda kernels, the examples of Thrust and CUB, and NVIDIA's CUDA samples are cloned to a
folder outside the checkout (--work), built by nvcc as they are with `-cudart shared`, and run with
LD_LIBRARY_PATH naming the software GPU. A program passes if it ends with status 0 within the time
limit, prints nothing that says it failed, and prints what its project expects (Thrust's *.filecheck
files). Those that need what the software GPU does not replace (the driver API, other CUDA
libraries, graphics) are listed with that reason and not counted.

llm.c's programs check every kernel against their own CPU code and then time them: they are ended
when the timing starts. With --reduced their problem sizes are lowered first, and nothing else.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

SOURCES = {
    "llm.c": ("https://github.com/karpathy/llm.c", "f1e2ace651495b74ae22d45d1723443fd00ecd3a"),
    "cccl": ("https://github.com/NVIDIA/cccl", "v3.0.1"),
    "cuda-samples": ("https://github.com/NVIDIA/cuda-samples", "v13.0"),
    # Programs of books, courses and a blog, one file each.
    "CUDA-Programming": ("https://github.com/brucefan1983/CUDA-Programming",
                         "8b6c96ba30fafeb3f71c74b2abb18a6bf849822d"),
    "professional-cuda-c-programming": (
        "https://github.com/deeperlearning/professional-cuda-c-programming",
        "ee58310bcdcec62a609f02b6c5193452d8102183"),
    "cuda-training-series": ("https://github.com/olcf/cuda-training-series",
                             "9cd77d539d85ee3457e09a083ba299b787b7a16e"),
    "code-samples": ("https://github.com/NVIDIA-developer-blog/code-samples",
                     "72d62ec464442786a36754508bcb1094d197d6a5"),
}
COURSES = ["CUDA-Programming", "professional-cuda-c-programming", "cuda-training-series",
           "code-samples"]

# Kernel numbers of llm.c's programs; the programs end with an error at any other.
LLMC_KERNELS = {
    "adamw": [1, 2],
    "attention_backward": [1, 2, 3, 4, 5, 6, 7, 8],
    "attention_forward": [1, 2, 3, 4, 5, 6],  # 10 needs cuDNN
    "classifier_fused": [1, 2, 3, 4, 5],
    "crossentropy_forward": [1],
    "crossentropy_softmax_backward": [1],
    "encoder_backward": [1, 2],
    "encoder_forward": [1, 2, 3],
    "fused_residual_forward": [1, 2, 3, 4, 5, 6],
    "gelu_backward": [1, 2],
    "gelu_forward": [1, 2],
    "global_norm": [1, 2, 3, 4],
    "layernorm_backward": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    "layernorm_forward": [1, 2, 3, 4, 5, 6],
    "matmul_backward": [1],
    "matmul_backward_bias": [1, 2, 3, 4, 5, 7, 8, 9],
    "matmul_forward": [1, 2, 3, 4],
    "permute": [0],
    "residual_forward": [1, 2],
    "softmax_forward": [1, 2, 3, 4, 5, 6, 7, 8],
    "trimat_forward": [0, 1, 2, 3, 4],
}
LLMC_OUT_OF_SCOPE = {"nccl_all_reduce": "needs NCCL and MPI"}
LLMC_BENCHMARK_STARTS = re.compile(r"Starting benchmarks|^All results match\.$|^block_size .*time|"
                                     r"^All results match for block_size=1024",
                                   re.MULTILINE)

# Arguments that make a sample's run short; the samples themselves are as they come.
SAMPLE_ARGUMENTS = {
    "matrixMul": "-wA=128 -hA=128 -wB=128 -hB=128",
    "matrixMulCUBLAS": "sizemult=1",
    "nbody": "-benchmark -compare -numbodies=1024",
    "FDTD3d": "--dimx=64 --dimy=64 --dimz=64 --timesteps=3",
    "BlackScholes": "",
    "reduction": "--n=65536",
    "transpose": "-dimX=256 -dimY=256",
    "MC_EstimatePiP": "--sims=10000",
    "MC_EstimatePiQ": "--sims=10000",
    "MC_EstimatePiInlineQ": "--sims=10000",
}
# For samples about several devices.
SAMPLE_ENVIRONMENT = {name: {"SOFTGPU_DEVICES": "2"} for name in (
    "simpleP2P", "streamOrderedAllocationP2P", "simpleMultiGPU", "conjugateGradientMultiDeviceCG",
    "p2pBandwidthLatencyTest", "MonteCarloMultiGPU", "topologyQuery")}
# Sizes that some programs of courses want to be told.
COURSE_ARGUMENTS = {
    "src_05-prerequisites-for-speedup_arithmetic2gpu": "10000",
    "src_07-global-memory_matrix": "256",
    "src_08-shared-memory_bank": "256",
    "solutions_chapter04_memTransfer": "4",
    "solutions_chapter04_pinMemTransfer": "4",
}
# These show errors: that they end with one is what is expected of them.
MEANT_TO_FAIL = {"src_04-error-check_check1api", "src_04-error-check_check2kernel",
                 "examples_chapter10_debug-segfault", "examples_chapter10_debug-hazards",
                 "exercises_hw6_linked_list"}

# What a sample uses that nobody but NVIDIA or another platform provides: by what its CMakeLists.txt
# links, and by its source.
FOREIGN_BUILD = [
    (r"CUDA::cuda_driver", "needs the driver API"),
    (r"CUDA::nvrtc", "needs NVRTC"),
    (r"CUDA::cufft", "needs cuFFT"),
    (r"CUDA::cusolver", "needs cuSOLVER"),
    (r"CUDA::npp", "needs NPP"),
    (r"CUDA::nvjpeg", "needs nvJPEG"),
    (r"find_package\((OpenGL|GLUT|EGL|Vulkan|X11)", "needs graphics"),
    (r"find_package\((MPI|NVSCI|FreeImage|LLVM)", "needs a library that is not CUDA's"),
    (r"nvvm|libdevice", "needs libNVVM"),
    (r"D3D1[12]|d3d1[12]", "needs Windows"),
    (r"fatbin|\.cubin|-cubin|ptx\b", "loads a module of its own through the driver API"),
]
FOREIGN_SOURCE = [
    (r"\bcusparse\w*\(", "needs cuSPARSE"),
    (r"\bcurand(CreateGenerator|GetDirectionVectors|GetScrambleConstants)",
     "needs cuRAND's host library"),
    (r"\bnvJitLink", "needs nvJitLink"),
    (r"\bcudaIpc(Get|Open)", "shares device memory between processes"),
    (r"windows\.h>\s*\n.*d3d|d3d1[12]", "needs Windows"),
]
FAILED = re.compile(
    r"\bFAILED\b|Test failed|\[FAIL|CUDA error|INCORRECT|Error at|: FAIL\b|"
    r"Result = FAIL|does not match|unsupported:", re.IGNORECASE)
# Lines that hold such a word and mean no harm.
HARMLESS = re.compile(r"0 failed|failed: 0|# of (tests )?failed|Failures: 0|Assertion `gtid < N`|failed as expected")


class Program:
    """One thing to build: what it is made of, how it is run, what it has to print."""

    def __init__(self, suite, name, sources=(), options=(), runs=((),), cwd=None, skip=None,
                 filecheck=None, stop_at=None, accept=None, environment=None):
        self.suite, self.name, self.sources, self.options = suite, name, sources, list(options)
        self.runs, self.cwd, self.skip = runs, cwd, skip
        self.filecheck, self.stop_at, self.accept = filecheck, stop_at, accept
        self.environment = environment or {}


def run(command, timeout, cwd=None, env=None, stop_at=None):
    """Runs a command; returns (status, output, seconds). Status is None where time ran out."""
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    os.set_blocking(process.stdout.fileno(), False)
    output, status, stopped = b"", None, False
    while True:
        chunk = process.stdout.read() or b""
        output += chunk[: max(0, 4_000_000 - len(output))]
        if process.poll() is not None:
            output += process.stdout.read() or b""
            status = process.returncode
            break
        if stop_at and stop_at.search(output.decode(errors="replace")):
            stopped = True
        if stopped or time.monotonic() - start > timeout:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = 0 if stopped else None
            break
        time.sleep(0.02)
    return status, output.decode(errors="replace"), time.monotonic() - start


def fetch(work, name):
    """The folder with the project's sources at the tested version."""
    url, version = SOURCES[name]
    folder = work / name
    if not folder.exists():
        print(f"Cloning {url} at {version}", file=sys.stderr)
        folder.mkdir(parents=True)
        git = ["git", "-C", str(folder)]
        subprocess.run(git + ["init", "-q"], check=True)
        subprocess.run(git + ["fetch", "-q", "--depth", "1", url, version], check=True)
        subprocess.run(git + ["checkout", "-q", "FETCH_HEAD"], check=True)
    return folder


def llmc_programs(work, reduced):
    folder = fetch(work, "llm.c") / "dev" / "cuda"
    options = ["-O3", "--use_fast_math", "-std=c++17", "-Xcompiler", "-fopenmp", "-lcublas",
               "-lcublasLt"]
    if reduced:
        # A copy whose sizes alone are lowered, so that kernels of all block sizes take seconds. T stays
        # at 256: some kernels rely on its being a multiple of their block size.
        copy = work / "llm.c-reduced" / "dev" / "cuda"
        copy.mkdir(parents=True, exist_ok=True)
        for source in folder.glob("*.*"):
            text = source.read_text()
            for size, value in (("B", 4), ("T", 256), ("V", 5003)):
                text = re.sub(rf"(?m)^    (int|int64_t) {size} = (768 \* )?\d+;",
                              rf"    \1 {size} = {value};", text)
            text = text.replace("const long num_parameters = 1048576;",
                                "const long num_parameters = 65536;")
            target = copy / source.name
            if not target.exists() or target.read_text() != text:
                target.write_text(text)
        folder = copy
    for source in sorted(folder.glob("*.cu")):
        name = source.stem
        numbers = LLMC_KERNELS.get(name, [1])
        yield Program("llm.c", name, [source], options,
                      runs=[() if name == "permute" else (str(n),) for n in numbers],
                      skip=LLMC_OUT_OF_SCOPE.get(name), stop_at=LLMC_BENCHMARK_STARTS,
                      accept=None if name in ("permute",) else r"match|Checking|time")


def thrust_programs(work):
    cccl = fetch(work, "cccl")
    folder = cccl / "thrust" / "examples"
    for source in sorted(folder.glob("*.cu")) + sorted(folder.glob("cuda/*.cu")):
        stem = ".".join(source.relative_to(folder).with_suffix("").parts)
        if stem == "print_version":
            stem_of_check = "version"
        else:
            stem_of_check = stem
        check = cccl / "thrust" / "internal" / "test" / f"thrust.example.{stem_of_check}.filecheck"
        yield Program("thrust", stem, [source],
                      ["-O3", "-std=c++17", "--extended-lambda", f"-I{folder}"],
                      filecheck=check if check.exists() else None)
    device = folder / "cpp_integration"
    yield Program("thrust", "cpp_integration", [device / "device.cu", device / "host.cpp"],
                  ["-O3", "-std=c++17", f"-I{folder}"])


def cub_programs(work):
    cccl = fetch(work, "cccl")
    for source in sorted((cccl / "cub" / "examples").glob("*/*.cu")):
        yield Program("cub", source.stem, [source],
                      ["-O3", "-std=c++17", "--extended-lambda", f"-I{cccl / 'c2h' / 'include'}"])


def sample_programs(work):
    samples = fetch(work, "cuda-samples")
    for lists in sorted((samples / "Samples").glob("*/*/CMakeLists.txt")):
        folder, name = lists.parent, lists.parent.name
        text = lists.read_text()
        declared = re.search(r"add_executable\(\s*\S+\s+([^)]*)\)", text)
        sources = [folder / word for word in (declared.group(1).split() if declared else [])
                   if word.endswith((".cu", ".cpp", ".c"))]
        content = "".join(s.read_text(errors="replace") for s in sources if s.exists())
        skip = None
        if folder.parent.name == "7_libNVVM":
            skip = "needs libNVVM"
        for where, table in ((text, FOREIGN_BUILD), (content, FOREIGN_SOURCE)):
            for pattern, reason in table:
                if skip is None and re.search(pattern, where):
                    skip = reason
        if not sources:
            skip = skip or "builds no program of its own"
        options = ["-O3", "-std=c++17", "--extended-lambda", f"-I{samples / 'Common'}"]
        options += [f"-I{folder / inner}" for inner in ("inc", "common") if (folder / inner).exists()]
        if re.search(r"CUDA_SEPARABLE_COMPILATION\s+ON", text):
            options.append("-rdc=true")
        if "OpenMP" in text:
            options += ["-Xcompiler", "-fopenmp"]
        if "CUDA::cublas" in text:
            options.append("-lcublas")
        yield Program(f"samples/{folder.parent.name}", name, sources, options, cwd=folder,
                      runs=[tuple(shlex.split(SAMPLE_ARGUMENTS.get(name, "")))], skip=skip,
                      environment=SAMPLE_ENVIRONMENT.get(name))


def course_programs(work):
    """Every .cu file with a main of its own, built alone and run without arguments."""
    for project in COURSES:
        folder = fetch(work, project)
        for source in sorted(folder.rglob("*.cu")):
            text = source.read_text(errors="replace")
            if not re.search(r"\bmain\s*\(", text):
                continue
            others = [s for s in source.parent.glob("*.cu") if s != source]
            if "whole-code" in str(source) or (source.parent.name in ("cpp", "force-only")):
                sources = [source, *others]  # one program of several files
            else:
                sources = [source]
            skip = None
            for pattern, reason in FOREIGN_SOURCE:
                if re.search(pattern, text):
                    skip = skip or reason
            if re.search(r"\bFIXME\b", text):
                skip = "an exercise with gaps"
            if "crypt." in source.name:
                skip = "wants files that do not come with it"
            if re.search(r"\bcufft\w+\(", text):
                skip = "needs cuFFT"
            if re.search(r"\bcusolver\w+\(", text):
                skip = "needs cuSOLVER"
            name = "_".join(source.relative_to(folder).with_suffix("").parts)
            options = ["-O3", "-std=c++17", "--extended-lambda", "-Xcompiler", "-fopenmp",
                       f"-I{source.parent}", f"-I{source.parent.parent}", f"-I{source.parent}/../../common"]
            if "cublas" in text:
                options.append("-lcublas")
            if source.name.startswith("nested"):
                options.append("-rdc=true")
            if name in MEANT_TO_FAIL:
                skip = "meant to fail"
            yield Program(f"courses/{project}", name, sources, options, cwd=source.parent,
                          runs=[tuple(shlex.split(COURSE_ARGUMENTS.get(name, "")))], skip=skip,
                          environment={"SOFTGPU_DEVICES": "4"}
                          if re.search(r"MultiGPU|P2P|num_gpus|ngpus", text) else None)


def filecheck(patterns, output):
    """LLVM FileCheck's CHECK and CHECK-NEXT, as far as Thrust's files use them; None or a reason."""
    normal = lambda line: re.sub(r"[ \t]+", " ", line)
    lines = [normal(line) for line in output.splitlines()]
    position = -1
    for entry in patterns.splitlines():
        match = re.match(r"\s*CHECK(-NEXT)?:(.*)", entry)
        if not match:
            continue
        text = normal(match.group(2)).strip()
        pieces = re.split(r"\{\{(.*?)\}\}", text)
        pattern = "".join(piece if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))
        if match.group(1):
            position += 1
            if position >= len(lines) or not re.search(pattern, lines[position]):
                found = lines[position] if position < len(lines) else "the end of the output"
                return f"expected '{text}', found '{found.strip()}'"
        else:
            start = position + 1
            for position in range(start, len(lines)):
                if re.search(pattern, lines[position]):
                    break
            else:
                return f"expected '{text}', not found"
    return None


def build(program, arguments, binary):
    """Compiles one program unless that was done before; returns (seconds, error or None)."""
    log = binary.with_suffix(".log")
    command = [arguments.nvcc, f"-arch={arguments.arch}", "-cudart", "shared",
               "-Wno-deprecated-gpu-targets", "-w", *program.options,
               *map(str, program.sources), "-o", str(binary)]
    stamp = binary.with_suffix(".command")
    version = hashlib.sha256(b"".join(Path(s).read_bytes() for s in program.sources)).hexdigest()
    made_by = f"{shlex.join(command)} {version}"
    if stamp.exists() and stamp.read_text() == made_by:
        return 0.0, None if binary.exists() else log.read_text().strip().splitlines()[0]
    binary.parent.mkdir(parents=True, exist_ok=True)
    status, output, seconds = run(command, arguments.compile_timeout, cwd=program.cwd)
    log.write_text(output or "no output\n")
    if status is None:
        return seconds, "compiling took too long"
    stamp.write_text(made_by)
    if status == 0:
        return seconds, None
    binary.unlink(missing_ok=True)
    errors = [line for line in output.splitlines() if "error" in line] or [output.strip()]
    log.write_text(errors[0] + "\n" + output)
    return seconds, errors[0][:200]


def judge(program, status, output):
    """None if the run passed, else the reason in one line."""
    last = lambda: next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    said = [line.strip() for line in output.splitlines() if "softgpu" in line]
    detail = (said[0] if said else last())[:200]
    if status is None:
        return f"time limit; last line: {detail}"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}: {detail}"
    if status == 2 and re.search(r"waiv", output, re.IGNORECASE):
        return f"waived by the program: {detail}"
    if status != 0:
        return f"status {status}: {detail}"
    for line in output.splitlines():
        if FAILED.search(line) and not HARMLESS.search(line):
            return f"printed '{line.strip()[:160]}'"
    if program.filecheck:
        return filecheck(program.filecheck.read_text(), output)
    if program.accept and not re.search(program.accept, output):
        return f"printed no result: {detail}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/tandem-third-party",
                        help="folder for sources and programs, outside the checkout")
    parser.add_argument("--library", type=Path, default=root / "build/release/softgpu",
                        help="folder with the software GPU's libcudart.so.13")
    parser.add_argument("--nvcc", default=None, help="an nvcc 13")
    parser.add_argument("--arch", default="compute_80", help="what to compile for")
    parser.add_argument("--suite", default="llm.c,cub,thrust,samples,courses")
    parser.add_argument("--filter", default="", help="only programs whose suite/name has this")
    parser.add_argument("--reduced", action="store_true", help="smaller sizes for llm.c")
    parser.add_argument("--compile-only", action="store_true")
    parser.add_argument("--built-only", action="store_true", help="run what is built already")
    parser.add_argument("--compile-timeout", type=float, default=600)
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one run")
    parser.add_argument("--json", type=Path, help="write the results there too")
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    if arguments.work.is_relative_to(root):
        parser.error("--work has to be outside the checkout: these are other people's sources")
    if not (arguments.library / "libcudart.so.13").exists() and not arguments.compile_only:
        parser.error(f"no libcudart.so.13 in {arguments.library}: build the software GPU first")
    if arguments.nvcc is None:
        cache = root / "build/release/CMakeCache.txt"
        found = re.search(r"^TANDEM_NVCC:\w+=(.*)$", cache.read_text() if cache.exists() else "",
                          re.MULTILINE)
        arguments.nvcc = found.group(1) if found else "nvcc"
    suites = arguments.suite.split(",")
    programs = []
    if "llm.c" in suites:
        programs += llmc_programs(arguments.work, arguments.reduced)
    if "cub" in suites:
        programs += cub_programs(arguments.work)
    if "thrust" in suites:
        programs += thrust_programs(arguments.work)
    if "samples" in suites:
        programs += sample_programs(arguments.work)
    if "courses" in suites:
        programs += course_programs(arguments.work)
    programs = [p for p in programs if re.search(arguments.filter, f"{p.suite}/{p.name}")]

    environment = dict(os.environ, LD_LIBRARY_PATH=str(arguments.library.resolve()))
    results = []
    for program in programs:
        entry = {"suite": program.suite, "name": program.name, "compiles": None, "runs": []}
        results.append(entry)
        if program.skip:
            entry["out_of_scope"] = program.skip
            continue
        variant = "reduced-" if arguments.reduced and program.suite == "llm.c" else ""
        binary = arguments.work / "build" / f"{variant}{program.suite.replace('/', '-')}" / program.name
        if arguments.built_only and not binary.exists():
            results.pop()
            continue
        seconds, error = (0.0, None) if arguments.built_only else build(program, arguments, binary)
        entry["compiles"], entry["compile_seconds"] = error is None, round(seconds, 1)
        if error:
            entry["reason"] = error
        elif not arguments.compile_only:
            for run_arguments in program.runs:
                # Line by line, so that what was printed before a time limit is seen.
                status, output, seconds = run(
                    ["stdbuf", "-oL", str(binary), *run_arguments], arguments.timeout,
                    cwd=program.cwd or binary.parent, env={**environment, **program.environment},
                    stop_at=program.stop_at)
                binary.with_name(f"{program.name}{'-'.join(('', *run_arguments))}.out".replace("/", "_")).write_text(output)
                entry["runs"].append({"arguments": list(run_arguments),
                                      "seconds": round(seconds, 2),
                                      "reason": judge(program, status, output)})
        print_entry(entry)
    tried = [e for e in results if e["compiles"] and e["runs"]]
    passed = [e for e in tried if not any(r["reason"] for r in e["runs"])]
    print(f"\n{len(passed)} of {len(tried)} programs pass; "
          f"{sum(e['compiles'] is False for e in results)} do not compile; "
          f"{sum('out_of_scope' in e for e in results)} out of scope")
    all_runs = [r for e in tried for r in e["runs"]]
    print(f"{sum(r['reason'] is None for r in all_runs)} of {len(all_runs)} runs pass")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def print_entry(entry):
    name = f"{entry['suite']}/{entry['name']}"
    if not entry["compiles"]:
        print(f"{name:55} no compile  {entry['reason']}", flush=True)
        return
    if not entry["runs"]:
        print(f"{name:55} compiled    {entry['compile_seconds']} s", flush=True)
    for result in entry["runs"]:
        full = " ".join([name, *result["arguments"]])
        print(f"{full:55} {'pass' if result['reason'] is None else 'FAIL':5} "
              f"{result['seconds']:7.2f} s  {result['reason'] or ''}", flush=True)


if __name__ == "__main__":
    main()
