#!/usr/bin/env python3
"""Checks that libtandem exports what its public headers declare, and nothing else.

    exports_test.py --library libtandem.so --objects libtandem_static.a --headers include [--nm nm]

Every symbol that the library exports must belong to a class, function or variable that a public
header declares, or be one that the C++ language and library make by themselves. And every function
that the objects define and a public header declares must be exported: a forgotten TANDEM_API is an
error here, and not in the link of a user's program.
"""

import argparse
import pathlib
import re
import subprocess
import sys

# What the compiler makes beside functions, as `nm -C` writes it.
MADE_BY_COMPILER = re.compile(
    r"^(vtable|VTT|typeinfo|typeinfo name|guard variable|construction vtable|"
    r"(non-)?virtual thunk|covariant return thunk) (for|to) ")
# Instantiations of the C++ library's templates, which are exported wherever they are used.
OF_THE_LANGUAGE = re.compile(r"^(std::|__gnu_cxx::|operator (new|delete)|_init$|_fini$|__)")


def without_comments(text):
    """The text with comments, strings, preprocessor lines and attributes blanked."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"', '""', text, flags=re.S)
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"^[ \t]*#(\\\n|[^\n])*", " ", text, flags=re.M)
    return re.sub(r"\[\[.*?\]\]", " ", text, flags=re.S)


def declarations(text):
    """Yields (namespace, declaration, has a body) for everything declared at namespace scope.

    A declaration is the text up to its `;` or its `{`; bodies are left out."""
    text = without_comments(text)
    namespaces = []
    start = at = 0
    while at < len(text):
        c = text[at]
        if c == ";":
            yield "::".join(namespaces), text[start:at].strip(), False
            start = at + 1
        elif c == "{":
            head = text[start:at].strip()
            if head.count("(") > head.count(")"):
                # A default argument, as in `options = {}`.
                at = text.index("}", at) + 1
                continue
            opened = re.match(r"^(?:inline\s+)?namespace(?:\s+([\w:]+))?$", head)
            if opened:
                namespaces.append(opened.group(1) or "(anonymous namespace)")
            else:
                yield "::".join(namespaces), head, True
                depth = 1
                while depth and at + 1 < len(text):
                    at += 1
                    depth += {"{": 1, "}": -1}.get(text[at], 0)
                # A class or a variable ends with `;`, a function with its body.
                rest = text[at + 1:at + 200].lstrip()
                if rest.startswith(";"):
                    at = text.index(";", at)
            start = at + 1
        elif c == "}":
            if namespaces:
                namespaces.pop()
            start = at + 1
        at += 1


def without_templates(text):
    """The text without template arguments and without what stands in parentheses."""
    text = re.sub(r"operator\s*(<=>|<<|>>|<=|>=|<|>|->|\(\))", "operator_", text)
    kept = []
    depth = 0
    for c in text:
        if c in "<(":
            depth += 1
        elif c in ">)":
            depth -= 1
        elif depth == 0:
            kept.append(c)
    return "".join(kept)


def name_of(declaration):
    """The name that a declaration at namespace scope declares, or None."""
    text = re.sub(r"^(\s*template\s*<.*?>\s*(requires[^;{]*?(?=\b(class|struct|\[\[|TANDEM_API|"
                  r"std::|void|bool|inline|constexpr)))?)+", "", declaration, flags=re.S)
    of_class = re.match(r"^\s*(?:extern\s+)?(?:template\s+)?(?:class|struct|union|enum(?:\s+class)?)"
                        r"\s+(?:TANDEM_API\s+)?(\w+)", text)
    if of_class:
        return of_class.group(1)
    head = re.split(r"(?<![=!<>])=(?!=)", text)[0]
    if "(" in head:
        before = without_templates(head.split("(", 1)[0] if "operator" not in head else head)
        words = before.split()
        return words[-1].lstrip("*&") if words else None
    words = without_templates(head).split()
    return words[-1].lstrip("*&") if len(words) > 1 else None


def declared_names(headers):
    """All names that are declared, and those of functions that no header defines."""
    names = set()
    elsewhere = set()
    here = set()
    for header in sorted(headers.rglob("*.hpp")):
        for namespace, declaration, has_body in declarations(header.read_text()):
            name = name_of(declaration)
            if not name or not namespace:
                continue
            names.add(f"{namespace}::{name}")
            if "(" in declaration:
                (here if has_body else elsewhere).add(f"{namespace}::{name}")
    return names, elsewhere - here


def qualified_name(symbol):
    """tandem::Model::predict for "int tandem::Model<float>::predict(int) const"."""
    symbol = MADE_BY_COMPILER.sub("", symbol)
    symbol = re.sub(r"\[abi:\w+\]", "", symbol)
    # A variable inside a member function: "tandem::A::f() const::none".
    symbol = re.sub(r"\) const::", ")::", symbol)
    symbol = symbol.replace("(anonymous namespace)", "{anonymous}")
    plain = without_templates(symbol)
    words = [word for word in plain.split() if word not in ("const", "[clone", "volatile", "&", "&&")
             and not word.startswith((".", "["))]
    return words[-1].lstrip("*&") if words else plain


def is_declared(name, names):
    parts = name.split("::")
    return any("::".join(parts[:count]) in names for count in range(2, len(parts) + 1))


def symbols(nm, *arguments):
    """(type, demangled name) of each defined symbol."""
    output = subprocess.run([nm, "-C", "--defined-only", *arguments], check=True,
                            capture_output=True, text=True).stdout
    for line in output.splitlines():
        found = re.match(r"^[0-9a-f]{8,} (\w) (.*)$", line)
        if found:
            yield found.group(1), found.group(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--objects", required=True)
    parser.add_argument("--headers", required=True, type=pathlib.Path)
    parser.add_argument("--nm", default="nm")
    arguments = parser.parse_args()

    names, elsewhere = declared_names(arguments.headers)
    exported = {name for _, name in symbols(arguments.nm, "-D", arguments.library)}
    if len(names) < 50 or len(exported) < 50:
        sys.exit(f"only {len(names)} names declared, {len(exported)} exported: not the right files")

    undeclared = sorted(
        symbol for symbol in exported
        if not OF_THE_LANGUAGE.match(MADE_BY_COMPILER.sub("", symbol))
        and not OF_THE_LANGUAGE.match(qualified_name(symbol))
        and not is_declared(qualified_name(symbol), names))
    # Weak symbols (W, V) are templates and inline functions. Among them, functions that a header only
    # declares, and the tables of its classes, have to be exported too.
    hidden = sorted({
        symbol for kind, symbol in symbols(arguments.nm, arguments.objects)
        if symbol not in exported
        and (kind in "TBDR" and is_declared(qualified_name(symbol), names)
             or kind == "W" and qualified_name(symbol) in elsewhere
             or symbol.startswith("vtable for ") and qualified_name(symbol) in names)})
    for symbol in undeclared:
        print(f"exported, but no public header declares it: {symbol}")
    for symbol in hidden:
        print(f"declared in a public header, but not exported (TANDEM_API): {symbol}")
    print(f"{len(exported)} symbols exported, {len(names)} names declared")
    sys.exit(bool(undeclared or hidden))


if __name__ == "__main__":
    main()
