#!/usr/bin/env python3
"""Looks at pages as a browser lays them out: nothing overflows, and no text lies on another.

    check_pages.py --root DIR --tandem PROGRAM --scratch DIR [--keep]      makes the pages and checks
    check_pages.py --scratch DIR PAGE...                                   checks these

Each page is laid out wide, narrow, dark and on paper. In each, every box of text and every picture
must lie inside the page and inside whatever cuts it off, unless a person can scroll there; and no
two texts may overlap. Ends with status 77 where Chromium is missing (Debian: chromium).
"""

import argparse
import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

# name, width and height in pixels, features of the medium that the page is told of
LAYOUTS = [("wide", 1280, 900, {}), ("narrow", 360, 800, {}),
           ("dark", 1280, 900, {"prefers-color-scheme": "dark"}), ("paper", 700, 1000, {"print": 1})]

# Runs in the page, which has no script of its own, and leaves what it found in an element.
PROBE = r"""
(() => {
  const found = [];
  const width = document.documentElement.clientWidth;
  const say = (what, element, more) => found.push(what + ': ' + element.tagName.toLowerCase() +
      ' "' + (element.textContent || '').trim().slice(0, 60) + '" ' + more);
  const scrolls = element => {
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.overflowX === 'auto' || style.overflowX === 'scroll') return true;
    }
    return false;
  };
  if (document.documentElement.scrollWidth > width + 1)
    found.push('the page is wider than the screen: ' + document.documentElement.scrollWidth +
               ' of ' + width + ' pixels');
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest('title, style, #probe')) continue;
    // Words where blanks are kept: those at the end of a line may hang over its edge unseen.
    const parts = [];
    if (parent.closest('pre')) {
      for (const word of node.data.matchAll(/\S+/g))
        parts.push([word.index, word.index + word[0].length]);
    } else {
      parts.push([0, node.data.length]);
    }
    for (const r of parts.flatMap(([from, to]) => {
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, to);
      return [...range.getClientRects()];
    })) {
      if (r.width < 1 || r.height < 1) continue;
      const inside = scrolls(parent);
      if (!inside && (r.left < -1 || r.right > width + 1))
        say('beyond the page', parent, Math.round(r.left) + '..' + Math.round(r.right));
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
  const result = document.createElement('pre');
  result.id = 'probe';
  result.textContent = JSON.stringify({texts: texts.length, found: found.slice(0, 40)});
  document.body.appendChild(result);
})();
"""


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    print("skipped: there is no Chromium; apt-get install chromium")
    sys.exit(77)


def for_layout(text, features):
    """The page as that medium would see it: headless Chromium takes neither from its options."""
    if features.get("print"):
        text = text.replace("@media print", "@media all")
    if features.get("prefers-color-scheme") == "dark":
        text = text.replace("@media (prefers-color-scheme: dark)", "@media all")
    # The page allows no script; this copy allows the one that measures it.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    return text


def look_at(browser, page, scratch, keep):
    wrong = []
    for name, width, height, features in LAYOUTS:
        stem = f"{page.parent.name}-{name}"
        copy = scratch / f"{stem}.html"
        text = for_layout(page.read_text(), features)
        copy.write_text(text.replace("</body>", f"<script>{PROBE}</script></body>"))
        base = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={scratch / 'profile'}", f"--window-size={width},{height}"]
        # A window has a least width, a frame has not.
        frame = scratch / f"{stem}-frame.html"
        frame.write_text(f'<body style="margin:0"><iframe src="{copy.name}" width="{width}" '
                         f'height="{height}" style="border:0"></iframe>'
                         "<script>addEventListener('load', () => { document.body.textContent = "
                         "document.querySelector('iframe').contentDocument"
                         ".getElementById('probe').textContent; })</script></body>")
        done = subprocess.run([*base, "--allow-file-access-from-files", "--dump-dom",
                               f"file://{frame}"], capture_output=True, text=True, check=False,
                              timeout=120)
        inside = re.search(r"<body[^>]*>(.*?)</body>", done.stdout, flags=re.S)
        try:
            result = json.loads(html.unescape(inside.group(1)))
        except (AttributeError, json.JSONDecodeError):
            wrong.append(f"{stem}: the browser did not lay it out: {done.stderr[-400:]}")
            continue
        if result["texts"] < 5:
            wrong.append(f"{stem}: has {result['texts']} texts only")
        wrong += [f"{stem}: {one}" for one in result["found"]]
        if keep:
            picture = scratch / f"{stem}.png"
            copy.write_text(text)
            subprocess.run([*base, f"--window-size={max(width, 500)},4200",
                            f"--screenshot={picture}", f"file://{copy}"], capture_output=True,
                           check=False, timeout=120)
            print(picture)
    return wrong


def make_pages(root, tandem, scratch):
    data = root / "data"
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
    }
    pages = []
    for name, words in runs.items():
        done = subprocess.run([tandem, *words, "--report", name, "--quiet"] if words[0] != "look"
                              else [tandem, *words, "--report", name], cwd=scratch,
                              capture_output=True, text=True, check=False,
                              env=dict(os.environ, LC_ALL="C.UTF-8"))
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: status {done.returncode}: {done.stderr}")
        pages.append(scratch / name / "report.html")
    # A profile of examples/cuda/transpose.cu, kept, so that no compiler for CUDA is needed.
    page = scratch / "kernels" / "report.html"
    page.parent.mkdir()
    done = subprocess.run([tandem, "gpu", "profile", "--device", "a100", "--page", str(page),
                           str(root / "tests" / "report" / "profile.json")], cwd=root,
                          capture_output=True, text=True, check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8"))
    if "built without the software GPU" in done.stderr:
        return pages
    if done.returncode != 0:
        sys.exit(f"gpu profile: status {done.returncode}: {done.stderr}")
    return [*pages, page]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--tandem", type=pathlib.Path)
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("--keep", action="store_true", help="keep pages, and a picture of each")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    browser = chromium()
    scratch = arguments.scratch.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    pages = [page.resolve() for page in arguments.pages]
    if not pages:
        pages = make_pages(arguments.root.resolve(), str(arguments.tandem.resolve()), scratch)
    wrong = []
    for page in pages:
        wrong += look_at(browser, page, scratch, arguments.keep)
    for line in wrong:
        print(line)
    print(f"{len(pages)} pages in {len(LAYOUTS)} layouts, {len(wrong)} wrong")
    if not wrong and not arguments.keep:
        shutil.rmtree(scratch)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
