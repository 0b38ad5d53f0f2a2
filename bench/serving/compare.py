#!/usr/bin/env python3
"""The same model by `tandem serve`, by onnxruntime behind the same HTTP server, and by onnxruntime
behind FastAPI, in one run; and the generator beside wrk and h2load.

    ./dev bench-serving
    build/serving-comparison/bin/python bench/serving/compare.py [--build build/release]
        [--trees 300] [--depth 6] [--rates 500,2000,10000,20000] [--seconds 4] [--json]

Needs onnxruntime, fastapi, uvicorn, uvloop, httptools, orjson and numpy in the Python that runs it;
what is not there (the program onnx_server, wrk, h2load) is left out and said. The answers of all
servers are compared first, on 200 rows: equal labels, probabilities within 1e-5.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from served import COLUMNS, PATH, Server, inputs_of, load, machine, make_models, serve

HERE = pathlib.Path(__file__).parent.absolute()
BOUND = 1e-5


def runtime_library():
    import onnxruntime
    found = sorted((pathlib.Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    return found[0] if found else None


def outputs(server, rows):
    """Labels and probabilities of single rows."""
    labels, shares = [], []
    for row in rows:
        found = {one["name"]: one["data"] for one in server.ask(PATH, inputs_of([row]))["outputs"]}
        labels += found["label"]
        shares += found["probabilities"]
    return labels, shares


def check_answers(servers, rows):
    expected = None
    for name, server in servers.items():
        labels, shares = outputs(server, rows)
        if expected is None:
            expected = labels, shares
        worst = max(abs(a - b) for a, b in zip(shares, expected[1]))
        if labels != expected[0] or worst > BOUND:
            raise SystemExit(f"{name} answers otherwise than tandem: largest difference {worst}")


def measure(arguments, name, server, body):
    """The rates that were asked for up to the first that is not kept, and a closed loop."""
    load(arguments.generator, server, body, 500, 1)
    found = []
    for rate in map(int, arguments.rates.split(",")):
        result = load(arguments.generator, server, body, rate, arguments.seconds, "--patience", 2)
        result["kept"] = (result["answered_per_second"] >= 0.99 * result["asked_per_second"] and
                          result["p99_ms"] <= 10)
        found.append(result)
        if not arguments.json:
            print(f"{name:24} {rate:6}/s asked {result['answered_per_second']:8.0f}/s answered, p50 "
                  f"{result['p50_ms']:8.2f} p99 {result['p99_ms']:8.2f} ms, server "
                  f"{result['server_us_per_answer']:7.1f} us", flush=True)
        if result["answered_per_second"] < 0.8 * result["asked_per_second"]:
            break
    most = load(arguments.generator, server, body, 1, arguments.seconds, "--gaps", "closed",
                connections=32)
    if not arguments.json:
        print(f"{name:24} closed loop of 32    {most['answered_per_second']:8.0f}/s answered, p50 "
              f"{most['p50_ms']:8.2f} p99 {most['p99_ms']:8.2f} ms, server "
              f"{most['server_us_per_answer']:7.1f} us", flush=True)
    return {"rates": found, "closed": most}


def by_wrk(server, body, seconds, connections, folder):
    """wrk is a closed loop: what `--gaps closed` does."""
    script = folder / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                      f"wrk.body = [[{body.read_text()}]]\n")
    text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                           str(script), server.url + PATH], capture_output=True, text=True,
                          check=True).stdout
    units = {"us": 1e-3, "ms": 1, "s": 1e3}
    quantiles = {share: float(number) * units[unit]
                 for share, number, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)", text)}
    if "Non-2xx" in text:
        raise SystemExit(f"wrk was refused:\n{text}")
    return {"answered_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "p50_ms": quantiles["50"], "p99_ms": quantiles["99"]}


def by_h2load(server, body, seconds, connections, rate, folder):
    """h2load sends evenly, each connection for itself; latencies are those of its log."""
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    text = subprocess.run(
        ["h2load", "--h1", "-t1", f"-c{connections}", "-m1", f"-D{seconds}", f"--rps={rate / connections}",
         f"--log-file={log}", "-H", "Content-Type: application/json", f"-d{body}", server.url + PATH],
        capture_output=True, text=True, check=True).stdout
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(line[2]) / 1e3 for line in lines if line[1] == "200")
    if not times:
        raise SystemExit(f"h2load was not answered:\n{text}")
    return {"answered_per_second": len(times) / seconds, "p50_ms": times[len(times) // 2],
            "p99_ms": times[int(0.99 * len(times))]}


def check_generator(arguments, server, body, folder):
    """Where none of them is what limits, all should say the same."""
    seconds, found = max(2, int(arguments.seconds)), {}
    for connections in (1, 4):
        pair = {"open_loop": load(arguments.generator, server, body, 1, seconds, "--gaps", "closed",
                                  connections=connections)}
        if shutil.which("wrk"):
            pair["wrk"] = by_wrk(server, body, seconds, connections, folder)
        found[f"closed loop of {connections}"] = pair
    for rate in (1000, 4000):
        pair = {"open_loop": load(arguments.generator, server, body, rate, seconds, "--gaps", "even",
                                  connections=8)}
        if shutil.which("h2load"):
            pair["h2load"] = by_h2load(server, body, seconds, 8, rate, folder)
        found[f"{rate} a second over 8"] = pair
    if not arguments.json:
        for what, pair in found.items():
            for tool, one in pair.items():
                print(f"{what:24} {tool:10} {one['answered_per_second']:8.0f}/s, p50 "
                      f"{one['p50_ms']:.3f} p99 {one['p99_ms']:.3f} ms", flush=True)
        for tool in ("wrk", "h2load"):
            if not shutil.which(tool):
                print(f"{tool} is not installed (Debian: wrk, nghttp2-client): left out")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build" / "release")
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--rates", default="500,2000,10000,20000")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.tandem = arguments.build / "apps/tandem"
    arguments.generator = arguments.build / "bench/serving/open_loop"
    found = {"machine": machine(), "trees": arguments.trees, "depth": arguments.depth, "columns": COLUMNS}
    with tempfile.TemporaryDirectory(prefix="tandem-compare-") as folder:
        folder = pathlib.Path(folder)
        repository, body, rows = make_models(arguments.tandem, folder, arguments.trees,
                                             arguments.depth, versions=1)
        model = folder / "model.onnx"
        subprocess.run([arguments.tandem, "export", folder / "1.tandem", "--onnx", model], check=True,
                       capture_output=True)
        servers = {"tandem": serve(arguments.tandem, repository)}
        program, library = arguments.build / "bench/serving/onnx_server", runtime_library()
        if program.exists() and library:
            for name, batch in [("onnxruntime", 1), ("onnxruntime, batches", 64)]:
                servers[name] = Server(program, library, model, "127.0.0.1:0", batch)
        else:
            found["left_out"] = "onnx_server is not built: onnxruntime_c_api.h was not found"
            print(found["left_out"], file=sys.stderr)
        for workers in (1, 2):
            servers[f"FastAPI, {workers} worker" + "s" * (workers > 1)] = Server(
                sys.executable, HERE / "fastapi_server.py", model, workers)
        check_answers(servers, rows)
        found["servers"] = {name: measure(arguments, name, server, body)
                            for name, server in servers.items()}
        ours = found["servers"]["tandem"]["closed"]
        found["ratios"] = {
            name: {"processor_time": round(one["closed"]["server_us_per_answer"] /
                                           ours["server_us_per_answer"], 2),
                   "answers_per_second": round(ours["answered_per_second"] /
                                               one["closed"]["answered_per_second"], 2)}
            for name, one in found["servers"].items() if name != "tandem"}
        if not arguments.json:
            for name, ratio in found["ratios"].items():
                print(f"{name}: {ratio['processor_time']} times tandem's processor time per answer; "
                      f"tandem answers {ratio['answers_per_second']} times as many in a closed loop")
        found["generator"] = check_generator(arguments, servers["tandem"], body, folder)
        for server in servers.values():
            server.stop()
    if arguments.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
