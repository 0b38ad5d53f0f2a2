#!/usr/bin/env python3
"""tandem fraud simulate, train and retrain as programs: files, statuses, and who answers."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

TANDEM = os.environ["TANDEM_PROGRAM"]
SMALL = ["--rounds", "15", "--label-delay-days", "3", "--threads", "1", "--quiet"]


def run(*words, status=0, cwd=None):
    done = subprocess.run([TANDEM, "fraud", *map(str, words)], capture_output=True, text=True,
                          cwd=cwd, check=False)
    assert done.returncode == status, (words, done.returncode, done.stderr)
    return done.stdout if status == 0 else done.stderr


def test_simulation(folder):
    words = ["simulate", "--days", 20, "--users", 250, "--fraud", 8, "--seed", 3]
    told = json.loads(run(*words, "--out", "a.csv", "--json", cwd=folder))
    piped = run(*words, cwd=folder)
    written = (folder / "a.csv").read_text()
    assert piped == written, "standard output and file differ"
    assert written.count("\n") == told["transactions"] + 1
    assert sum(told["scenarios"].values()) == told["frauds"] > 50
    assert run("simulate", "--days", 20, "--users", 250, "--fraud", 8, "--seed", 4,
               cwd=folder) != written
    error = run(*words, "--out", "a.tsv", status=2, cwd=folder)
    assert "a.tsv" in error
    (folder / "mine.csv").write_text("my own\n")
    error = run(*words, "--out", "mine.csv", status=2, cwd=folder)
    assert "--force" in error and (folder / "mine.csv").read_text() == "my own\n"
    assert "--start" in run("simulate", "--start", "tomorrow", status=2, cwd=folder)
    assert "--rounds is not for" in run("simulate", "--rounds", 3, status=2, cwd=folder)


def test_interruption(folder):
    """A file appears whole or not at all."""
    process = subprocess.Popen(
        [TANDEM, "fraud", "simulate", "--days", "5000", "--users", "20000", "--out", "long.csv"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not [path for path in folder.iterdir() if path.name.startswith("long.csv")]


def test_training(folder):
    report = json.loads(run("train", "--data", "a.csv", "--model", "m.tandem", *SMALL, "--json",
                            cwd=folder))
    assert report["quality"]["average_precision"] > 0.1
    assert report["split"]["train"] > 0 < report["split"]["test"]
    card = (folder / "m.card.md").read_text()
    assert "average precision" in card and "a.csv" in card
    first = (folder / "m.tandem").read_bytes()
    run("train", "--data", "a.csv", "--model", "m.tandem", *SMALL, cwd=folder)
    assert (folder / "m.tandem").read_bytes() == first, "the same training, another model"
    # The model is one of Tandem's.
    inspected = subprocess.run([TANDEM, "inspect", "m.tandem", "--json"], cwd=folder,
                               capture_output=True, text=True, check=True).stdout
    assert json.loads(inspected)["model"]["trees"]

    lines = (folder / "a.csv").read_text().split("\n")
    (folder / "broken.csv").write_text("\n".join([*lines[:5], lines[5].replace(",EUR,", ",eur,")]))
    error = run("train", "--data", "broken.csv", "--model", "n.tandem", *SMALL, status=2,
                cwd=folder)
    assert "broken.csv: row 6, column currency" in error, error
    (folder / "short.csv").write_text("\n".join(lines[:200]) + "\n")
    error = run("train", "--data", "short.csv", "--model", "n.tandem", *SMALL, status=2, cwd=folder)
    assert "more days" in error, error
    assert not (folder / "n.tandem").exists()
    assert "neither a file" in run("train", "--data", "a.csv", "--model", "n", *SMALL, status=2,
                                   cwd=folder)
    assert "--layers" in run("train", "--data", "a.csv", "--model", "n.tandem", "--layers", "magic",
                             *SMALL, status=2, cwd=folder)


def stages(folder):
    listed = subprocess.run([TANDEM, "models", "list", "models", "--json"], cwd=folder,
                            capture_output=True, text=True, check=True).stdout
    return {each["version"]: each["stage"] for each in json.loads(listed)["versions"]}


def test_retraining(folder):
    # A champion that knows the amount and the hour alone is beaten.
    run("train", "--data", "a.csv", "--model", "models/fraud", "--layers", "transaction", *SMALL,
        cwd=folder)
    assert stages(folder) == {1: "production"}
    tried = json.loads(run("retrain", "--data", "a.csv", "--model", "models/fraud", "--dry-run",
                           "--json", *SMALL, cwd=folder))
    assert tried["difference"]["low"] > 0 and not tried["promoted"]
    assert stages(folder) == {1: "production"}
    done = json.loads(run("retrain", "--data", "a.csv", "--model", "models/fraud", "--json", *SMALL,
                          cwd=folder))
    assert done["promoted"] and done["challenger_version"] == 2
    assert stages(folder) == {1: "archived", 2: "production"}
    # The same again is no better than itself.
    again = json.loads(run("retrain", "--data", "a.csv", "--model", "models/fraud", "--json",
                           *SMALL, cwd=folder))
    assert again["difference"]["average_precision"] == 0 and not again["promoted"]
    assert stages(folder) == {1: "archived", 2: "production", 3: "candidate"}
    assert (folder / "models" / "models" / "fraud" / "3.card.md").exists()
    assert not list((folder / "models").glob(".training*"))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for test in (test_simulation, test_interruption, test_training, test_retraining):
            test(folder)
            print(f"{test.__name__}: ok", flush=True)


if __name__ == "__main__":
    main()
