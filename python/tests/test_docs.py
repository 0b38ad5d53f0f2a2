"""The guide's examples and the notebooks run; the stubs are those of the classes."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import tandem_ml

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples/python").glob("*.py"))


def test_the_guide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.S | re.M)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_as_scripts(notebook, tmp_path):
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, notebook], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_five_notebooks():
    assert len(NOTEBOOKS) == 5


def test_stubs_have_every_parameter():
    import ast

    stubs = ast.parse((pathlib.Path(tandem_ml.__file__).parent / "__init__.pyi").read_text())
    classes = {node.name: node for node in stubs.body if isinstance(node, ast.ClassDef)}
    for name, cls in tandem_ml.estimators().items():
        made = next(node for node in classes[name].body
                    if isinstance(node, ast.FunctionDef) and node.name == "__init__")
        assert [argument.arg for argument in made.args.kwonlyargs] == list(cls._defaults)


def test_docstrings_have_every_parameter():
    for cls in tandem_ml.estimators().values():
        for name in cls._defaults:
            assert re.search(rf"^{name} : .+\n    .+\.$", cls.__doc__, re.M), (cls.__name__, name)
