"""Tables of measurements in Markdown, and their places in pages."""

import re
import sys


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def number(value, digits=1):
    return f"{value:,.{digits}f}"


def write(path, made):
    """Puts tables into a page, by their names; returns an exit status."""
    page = path.read_text()
    for name, text in made.items():
        pattern = re.compile(rf"(<!-- measured: {name} -->\n).*?(\n<!-- end -->)", re.S)
        if not pattern.search(page):
            print(f"{path}: has no place for the table {name}", file=sys.stderr)
            return 1
        page = pattern.sub(lambda found: found.group(1) + "\n" + text + "\n" + found.group(2), page)
    path.write_text(page)
    return 0
