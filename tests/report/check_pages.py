#!/usr/bin/env python3
"""Looks at pages as a browser lays them out: nothing overflows, and no text lies on another.

    check_pages.py --root DIR --tandem PROGRAM --scratch DIR [--nvcc NVCC] [--keep] [--only NAME,...]
                                                            makes the pages and checks them
    check_pages.py --scratch DIR [--keep] PAGE...           checks these

The pages are those of every command that writes one, and those that services show, with what they
say a while after their demo has begun. Each is laid out wide, narrow, dark and on paper. In each,
every box of text and every picture must lie inside the page and inside whatever cuts it off, unless
a person can scroll there; no two texts may overlap; and text has to stand out from what is behind
it. Without NVCC the pages of CUDA programs are left out, which is said. --keep leaves pages and a
picture of each layout in DIR, and what paper shows as PDF. Ends with status 77 where Chromium is
missing (Debian: chromium).
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from browser import CHROMIUM, Browser

# name, width and height in pixels, and whether dark is asked for and whether it is paper. A sheet of
# A4 has 695 pixels between the margins of a page; it stays light whatever the screen is.
LAYOUTS = [("wide", 1280, 900, False, False), ("narrow", 360, 800, False, False),
           ("dark", 1280, 900, True, False), ("paper", 695, 980, True, True)]

# Runs in the page and returns what it found there.
PROBE = r"""
(() => {
  const found = [];
  const width = document.documentElement.clientWidth;
  const say = (what, element, more) => found.push(what + ': ' + element.tagName.toLowerCase() +
      ' "' + (element.textContent || '').trim().slice(0, 60) + '" ' + more);
  const onPaper = matchMedia('print').matches;  // where nobody scrolls
  const scrolls = element => {
    if (onPaper) return false;
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.overflowX === 'auto' || style.overflowX === 'scroll') return true;
    }
    return false;
  };
  if (document.documentElement.scrollWidth > width + 1)
    found.push('the page is wider than the screen: ' + document.documentElement.scrollWidth +
               ' of ' + width + ' pixels');
  // What hides what goes beyond it: nothing may, where nobody can scroll to it.
  const cut = (element, r) => {
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      const box = e.getBoundingClientRect();
      const scrolling = ['auto', 'scroll'].includes(style.overflowX);
      if (scrolling && !onPaper) return false;
      if (e instanceof SVGElement) continue;
      if ((scrolling || ['hidden', 'clip'].includes(style.overflowX)) &&
          (r.left < box.left - 1 || r.right > box.right + 1)) return true;
      if (['hidden', 'clip'].includes(style.overflowY) &&
          (r.top < box.top - 1 || r.bottom > box.bottom + 1)) return true;
    }
    return false;
  };
  // The parts of a colour "rgb(...)" or "color(srgb ...)", its brightness, and how much two differ, as
  // WCAG 2.2 measures it.
  const parts = colour => (colour.match(/[\d.]+/g) || []).map(Number)
      .map((v, i) => i < 3 && colour.startsWith('color(') ? 255 * v : v);
  const brightness = ([r, g, b]) => [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  // The ground of an element: colours that let through what is behind them are laid upon it.
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = parts(getComputedStyle(e).backgroundColor);
      layers.push(colour.length === 3 ? [...colour, 1] : colour);
      if (layers.at(-1)[3] === 1) break;
    }
    const ground = matchMedia('(prefers-color-scheme: dark)').matches && matchMedia('screen').matches ?
        [18, 18, 18] : [255, 255, 255];
    return layers.reduceRight(
        (below, layer) => below.map((v, i) => layer[3] * layer[i] + (1 - layer[3]) * v), ground);
  };
  const pale = new Set();
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest('title, style, script, noscript')) continue;
    const style = getComputedStyle(parent);
    if (style.visibility === 'hidden') continue;
    // What is folded away keeps its boxes, where nobody sees them.
    const folded = parent.closest('details:not([open])');
    if (folded && !parent.closest('summary')) continue;
    const ink = parts(parent.closest('svg') ? style.fill : style.color);
    if (!parent.closest(':disabled') && ink.length >= 3) {
      const ratio = contrast(brightness(ink), brightness(behind(parent)));
      const key = ink.join() + parent.tagName + parent.className;
      if (ratio < 3 && !pale.has(key)) {
        pale.add(key);
        say('hardly to be read', parent, 'contrast ' + ratio.toFixed(1));
      }
    }
    // Words where blanks are kept: those at the end of a line may hang over its edge unseen.
    const pieces = [];
    if (parent.closest('pre')) {
      for (const word of node.data.matchAll(/\S+/g))
        pieces.push([word.index, word.index + word[0].length]);
    } else {
      pieces.push([0, node.data.length]);
    }
    for (const r of pieces.flatMap(([from, to]) => {
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, to);
      return [...range.getClientRects()];
    })) {
      if (r.width < 1 || r.height < 1) continue;
      const inside = scrolls(parent);
      if (!inside && (r.left < -1 || r.right > width + 1))
        say('beyond the page', parent, Math.round(r.left) + '..' + Math.round(r.right));
      if (cut(parent, r)) say('cut off', parent, '');
      const drawing = parent.closest('svg');
      if (drawing) {
        const box = drawing.getBoundingClientRect();
        if (r.left < box.left - 2 || r.right > box.right + 2 || r.top < box.top - 2 ||
            r.bottom > box.bottom + 2)
          say('beyond its drawing', parent, '');
      }
      texts.push({node, parent, drawing, top: r.top, bottom: r.bottom, left: r.left, right: r.right});
    }
  }
  for (const element of document.querySelectorAll('svg, table, pre, figure')) {
    if (scrolls(element)) continue;
    const r = element.getBoundingClientRect();
    if (r.left < -1 || r.right > width + 1) say('beyond the page', element, Math.round(r.right));
  }
  texts.sort((a, b) => a.top - b.top);
  for (let i = 0; i < texts.length; ++i) {
    const a = texts[i];
    const slack = 0.28 * (a.bottom - a.top);
    for (let j = i + 1; j < texts.length && texts[j].top < a.bottom - slack; ++j) {
      const b = texts[j];
      if (a.node === b.node) continue;
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 2 && down > Math.max(slack, 0.28 * (b.bottom - b.top)))
        say('texts overlap', a.parent, 'and "' + b.node.data.trim().slice(0, 60) + '"');
    }
  }
  return {texts: texts.length, found: found.slice(0, 40)};
})()
"""


def look_at(browser, name, scratch, keep):
    """What is wrong with the page that the browser shows."""
    wrong = []
    for layout, width, height, dark, paper in LAYOUTS:
        browser.set_layout(width, height, dark, paper)
        stem = f"{name}-{layout}"
        result = browser.value(PROBE)
        if result["texts"] < 5:
            result["found"].append(f"has {result['texts']} texts only")
        wrong += [f"{stem}: {one}" for one in result["found"]]
        for one in result["found"]:
            print(f"{stem}: {one}", flush=True)
        if keep:
            browser.picture(scratch / f"{stem}.png", whole=True)
            print(scratch / f"{stem}.png", flush=True)
    if keep:
        browser.print_pdf(scratch / f"{name}.pdf")
    return wrong


class Service:
    """A demo that serves a page until it is closed."""

    def __init__(self, tandem, scratch, words, last):
        temporary = scratch / "temporary"
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [tandem, *words, "--http", "127.0.0.1:0"], cwd=scratch, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, TMPDIR=str(temporary), LC_ALL="C.UTF-8"))
        lines = []
        while not lines or not lines[-1].startswith(last):
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"{' '.join(words)} ended early: {self.process.stderr.read()}")
            lines.append(line)
        self.url = lines[0].split()[1]

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=120)


# Pages that services show: the command, the beginning of the last line that it prints when it is
# ready, and, each a page of its own, what is there to be seen before it is looked at.
SERVICES = {
    "serving": (["serve", "--demo"], "Ctrl-C", {
        "serving": ("/", "document.querySelectorAll('#models table').length > 0 && "
                         "document.querySelectorAll('#experiments table').length > 1 && "
                         "(document.querySelectorAll('details').forEach(one => one.open = true), "
                         "document.querySelectorAll('details table').length > 0)")}),
    "fraud": (["fraud", "--demo"], "Replayed", {
        "fraud": ("/", "document.querySelectorAll('#decisions tr').length > 30 && "
                       "document.querySelectorAll('#reviews .card').length > 3 && "
                       "document.querySelectorAll('#ruletable tr').length > 5")}),
    "recommend": (["recommend", "demo"], "Ctrl-C", {
        "recommend": ("/?user=u2", "document.querySelectorAll('#list > li').length === 10"),
        "recommend_new": ("/?user=nobody%20of%20whom%20anything%20is%20known,%20with%20a%20long%20"
                          "name_without_a_blank_in_it_at_all_as_some_systems_make_them",
                          "document.querySelectorAll('#list > li').length === 10")}),
}


def look_at_services(browser, arguments, tandem, scratch, wanted):
    wrong, looked = [], 0
    for service, (words, last, views) in SERVICES.items():
        if not any(wanted(name) for name in views):
            continue
        running = Service(tandem, scratch, words, last)
        try:
            for name, (path, ready) in views.items():
                browser.set_layout(1280, 900)
                browser.open(running.url + path)
                browser.wait_for(ready, 120)
                # What is asked for again is not to arrive in the middle of a look.
                browser.value("window.refresh = () => {}")
                looked += 1
                wrong += look_at(browser, name, scratch, arguments.keep)
                for problem in browser.problems():
                    print(f"{name}: {problem}", flush=True)
                    wrong.append(problem)
        finally:
            running.close()
    return wrong, looked


def write_files(scratch):
    """What the pages are made from."""
    # Names that are long, and classes that are many.
    rows = ["a_column_with_a_very_long_name_that_says_all_about_what_was_measured_mm,width_cm,kind"]
    for i in range(360):
        rows.append(f"{(i * 37) % 101},{(i * i) % 89},"
                    f"a class with a long name, number {i % 12}".replace(", number", " number"))
    (scratch / "long.csv").write_text("\n".join(rows) + "\n")
    # Features that are many, rows that are few, texts that are markup.
    many = range(200)
    rows = [",".join(f"feature_{j}" for j in many) + ",kind"]
    for i in range(60):
        rows.append(",".join(str((i * j + i * i) % 17) for j in many) + f",kind {i % 3}")
    (scratch / "many.csv").write_text("\n".join(rows) + "\n")
    (scratch / "two.csv").write_text("x,y,kind\n1,2,a\n3,1,b\n")
    rows = ["age_years,<b>colour</b>,\u65e5\u672c"]
    for i in range(60):
        rows.append(f"{20 + i},{('red', '<i>&amp;', 'blue')[i % 3]},{i * 7 % 40}")
    (scratch / "markup.csv").write_text("\n".join(rows) + "\n")
    # Dates, which are large numbers close together, marks of money, and missing values.
    rows = ["when;Preis (EUR);Menge;Ort;erledigt"]
    for i in range(80):
        rows.append(f"{i % 28 + 1:02d}.{i % 12 + 1:02d}.2024 12:{i % 60:02d};"
                    f"{i + 1}.{i * 37 % 1000:03d},50 €;{'' if i % 9 == 0 else i};"
                    f"{('Köln', 'NA', 'Stuttgart-Untertürkheim, Bad Cannstatt')[i % 3]};"
                    f"{('ja', 'nein')[i % 4 == 0]}")
    (scratch / "dates.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    rows = []
    for i in range(240):
        x = [(i * 7919 + j * 104729) % 997 / 997 for j in range(6)]
        rows.append(f"{min(3, int(3 * x[0] + 2 * x[1] * x[1]))} qid:{i // 8 + 1} " +
                    " ".join(f"{j + 1}:{v:.4f}" for j, v in enumerate(x)))
    (scratch / "ranks.svm").write_text("\n".join(rows) + "\n")
    # An experiment of three arms with long names, two metrics.
    arms = ("control", "a new arm with a very long name", "third")
    (scratch / "exposures.csv").write_text("unit,arm\n" + "".join(
        f"u{i},{arms[i % 3]}\n" for i in range(900)))
    (scratch / "outcomes.csv").write_text("unit,metric,value\n" + "".join(
        f"u{i},spent in the first thirty days after the change,{i * 37 % 101 + 9 * (i % 3)}\n"
        f"u{i},visits,{i % 4}\n" for i in range(900)))
    # Submissions of a class: right ones, one that does not compile, one that is wrong.
    add = ("//@ launch add grid=ceil(n/256) block=256\n"
           'extern "C" __global__ void add(const float* x, const float* y, float* z, int n) {\n'
           "  const int i = blockIdx.x * 256 + threadIdx.x;\n"
           "  if (i < n) z[i] = x[i] + y[i];\n}\n")
    for student, text in (("ada", add), ("Grace Brewster Murray Hopper, of the second group", add),
                          ("konrad", add.replace("if (i < n)", "if (i <= n)")),
                          ("nobody", "this is no program\n")):
        folder = scratch / "class" / student
        folder.mkdir(parents=True)
        (folder / "vector_add.cu").write_text(text)
    (scratch / "class" / "ada" / "essay.cu").write_text(add)


def runs_of(root, nvcc):
    """By the name of the page the command line that makes it, without the option of the page."""
    data = root / "data"
    runs = {
        "tree": ["train", "decision-tree", "--data", f"{data}/breast_cancer.csv",
                 "--test-fraction", "0.3", "--model", "tree.tandem"],
        "long": ["train", "decision-tree", "--data", "long.csv", "--max-depth", "6"],
        "values": ["train", "decision-tree", "--data", f"{data}/diabetes.csv", "--max-depth", "4"],
        "digits": ["train", "logistic-regression", "--data", f"{data}/digits.csv"],
        "line": ["train", "linear-regression", "--data", f"{data}/diabetes.csv", "--solver", "qr",
                 "--scale", "standard"],
        "boosting": ["train", "gradient-boosting", "--data", f"{data}/wine.csv", "--rounds", "12"],
        "forest": ["train", "random-forest", "--data", f"{data}/wine.csv", "--trees", "20",
                   "--oob-score"],
        "many": ["train", "logistic-regression", "--data", "many.csv"],
        "two": ["train", "decision-tree", "--data", "two.csv"],
        "markup": ["train", "linear-regression", "--data", "markup.csv", "--scale", "standard",
                   "--solver", "qr"],
        "clusters": ["train", "kmeans", "--data", f"{data}/iris.csv", "--k", "3"],
        "mlp": ["train", "mlp", "--data", f"{data}/wine.csv", "--epochs", "8"],
        "folds": ["cross-validate", "decision-tree", "--data", f"{data}/wine.csv"],
        "curve": ["learning-curve", "logistic-regression", "--data", f"{data}/iris.csv"],
        "tune": ["tune", "decision-tree", "--data", f"{data}/wine.csv", "--grid",
                 "max-depth=1..5,criterion=entropy|gini", "--outer-folds", "2"],
        "prune": ["prune", "decision-tree", "--data", f"{data}/breast_cancer.csv"],
        "select": ["select", "kmeans", "--data", f"{data}/iris.csv", "--k", "2..6"],
        "compare": ["compare", "optimizers", "--data", f"{data}/diabetes.csv", "--epochs", "30"],
        "agree": ["agree", "kmeans", "gemm", "--sizes", "3", "--cases", "1", "--devices",
                  "reference,cpu"],
        "explain": ["explain", "tree.tandem", "--data", f"{data}/breast_cancer.csv", "--sample",
                    "60"],
        "outliers": ["train", "isolation-forest", "--data", f"{data}/iris.csv", "--target",
                     "species"],
        "ranks": ["train", "gradient-boosting", "--data", "ranks.svm", "--objective", "rank-ndcg",
                  "--rounds", "10", "--model", "ranks.tandem"],
        "explain_ranks": ["explain", "ranks.tandem", "--data", "ranks.svm", "--sample", "40"],
        "dates": ["train", "random-forest", "--data", "dates.csv", "--trees", "5"],
        "look_dates": ["look", "dates.csv"],
        "look": ["look", f"{data}/iris.csv"],
        "drift": ["drift", "--model", "tree.tandem", "--data", f"{data}/breast_cancer.csv"],
        "experiment": ["experiment", "analyse", "--exposures", "exposures.csv", "--outcomes",
                       "outcomes.csv"],
        "bench": ["bench", "--suite", "quick", "--case", "kmeans-16,linear", "--peers", "none",
                  "--runs", "2", "--history", "history"],
        "bench_sweep": ["bench", "--suite", "quick", "--case", "kmeans-16", "--peers", "none",
                        "--runs", "1", "--sweep", "clusters=4,8,16"],
        "bench_history": ["bench", "history", "history"],
        # A profile of examples/cuda/transpose.cu, kept, so that no compiler for CUDA is needed.
        "kernels": ["gpu", "profile", "--device", "a100", "--page",
                    str(root / "tests" / "report" / "profile.json")],
        "demo": ["demo"],
    }
    if nvcc:
        runs["lesson"] = ["lesson", "transpose", "--page"]
        runs["classroom"] = ["challenge", "classroom", "class", "--page"]
    return runs


def make_pages(arguments, tandem, scratch, wanted):
    """Name and file of each page."""
    write_files(scratch)
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    if arguments.nvcc:
        environment["TANDEM_NVCC"] = arguments.nvcc
    else:
        print("left out: the pages of CUDA programs, since there is no nvcc")
    # Pages of models and of histories that another command leaves.
    needed = {"explain": "tree", "drift": "tree", "explain_ranks": "ranks", "bench_history": "bench"}
    pages = []
    for name, words in runs_of(arguments.root.resolve(), arguments.nvcc).items():
        if not wanted(name) and not any(wanted(one) for one, of in needed.items() if of == name):
            continue
        page = scratch / name / "report.html"
        words = list(words)
        if "--page" in words:
            page.parent.mkdir()
            words.insert(words.index("--page") + 1, str(page))
        else:
            words += ["--report", name]
            if words[0] not in ("look", "drift", "experiment"):
                words.append("--quiet")
        done = subprocess.run([tandem, *words], cwd=scratch, capture_output=True, text=True,
                              check=False, env=environment)
        if "built without the software GPU" in done.stderr:
            print(f"left out: {name}, since this build has no software GPU")
            continue
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: status {done.returncode}: {done.stderr}")
        pages.append((name, page))
    return pages


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--tandem", type=pathlib.Path)
    parser.add_argument("--nvcc", default="")
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("--keep", action="store_true", help="keep pages, and a picture of each")
    parser.add_argument("--only", help="names of pages, with commas between them")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    if not CHROMIUM:
        print("skipped: there is no Chromium; apt-get install chromium")
        sys.exit(77)
    scratch = arguments.scratch.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    only = arguments.only.split(",") if arguments.only else []

    def wanted(name):
        return not only or name in only

    if arguments.pages:
        pages = [(page.resolve().parent.name, page.resolve()) for page in arguments.pages]
    else:
        tandem = str(arguments.tandem.resolve())
        pages = make_pages(arguments, tandem, scratch, wanted)
    wrong, count = [], len(pages)
    browser = Browser()
    try:
        for name, page in pages:
            browser.open(f"file://{page}")
            wrong += look_at(browser, name, scratch, arguments.keep)
        if not arguments.pages:
            found, looked = look_at_services(browser, arguments, tandem, scratch, wanted)
            wrong += found
            count += looked
    finally:
        browser.close()
    print(f"{count} pages in {len(LAYOUTS)} layouts, {len(wrong)} wrong")
    if not wrong and not arguments.keep:
        shutil.rmtree(scratch)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
