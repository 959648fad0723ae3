"""What counts in the digest of the code that a script runs, and what does not."""

import ast
from unittest import mock

import pytest

from csnn.experiment import code

CACHED = (code.reached, code._parts, code._references, code._file, code._names_in, code._kept)

SCRIPT = """
from csnn.job import logged, progress

with logged(snakemake):
    from csnn import science
    from csnn.science import mean

    science.simulate(mean([1, 2]), on_done=progress(2))
"""

SCIENCE = '''
"""Science."""
from __future__ import annotations
import csv
import numpy as np
from csnn.kinds import KINDS
from csnn.tools import double, table

LIMIT = 3
UNUSED = 4
REGISTERED = table()


def simulate(value: float, on_done=None) -> float:
    """Simulate."""
    if value > LIMIT:
        limit = f"more than {LIMIT}"
        raise ValueError(f"{value} is too large: {limit}")
    if value < 0:
        raise refused(value)
    if value == 0.5:
        raise OwnError("half")
    print("simulating")
    return np.exp(double(value)) + _constant()


class OwnError(ValueError):
    def __str__(self):
        return "this is refused"


def refused(value):
    return ValueError(f"{value} is negative")


def mean(values):
    class Sum:
        start = 0

    return sum(values, Sum().start) / len(values)


def describe(value):
    return csv.writer(value)


def _constant():
    return KINDS["a"].slope
'''

TOOLS = """
def double(value):
    from csnn.lazy import factor
    assert value, "a value is needed"
    return factor * value


def table():
    return {}


def register(function):
    return function


def other():
    return 1
"""

KINDS = """
import importlib
import pkgutil

KINDS = {m.name: importlib.import_module(f"csnn.kinds.{m.name}") for m in pkgutil.iter_modules(__path__)}
"""

STYLE = "THEME = 'theme.style'\n\n\ndef draw():\n    return THEME\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder with a script and a small package; returns a function that edits a file and gives the digest."""
    files = {
        "script.py": SCRIPT,
        "figure.py": "from csnn.figures import style\n\nstyle.draw()\n",
        "csnn/__init__.py": "",
        "csnn/job.py": "def logged(job): ...\n\n\ndef progress(total): ...\n",
        "csnn/science.py": SCIENCE,
        "csnn/tools.py": TOOLS,
        "csnn/lazy.py": "factor = 2\n",
        "csnn/kinds/__init__.py": KINDS,
        "csnn/kinds/a.py": "slope = 1\n",
        "csnn/figures/__init__.py": "",
        "csnn/figures/style.py": STYLE,
        "csnn/figures/theme.style": "red",
        "csnn/figures/other.style": "blue",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "FOLDER", tmp_path)

    def digest(name=None, old="", new="", script="script.py"):
        if name is not None:
            text = files.get(name, "")
            assert old in text
            (tmp_path / name).write_text(text.replace(old, new) if old else text + new)
        for cached in CACHED:
            cached.cache_clear()
        try:
            return code.digest(script)
        finally:
            if name in files:
                (tmp_path / name).write_text(files[name])
            elif name is not None:
                (tmp_path / name).unlink()

    yield digest
    for cached in CACHED:
        cached.cache_clear()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "[1, 2]", "[1, 3]"),
        ("csnn/science.py", "LIMIT = 3", "LIMIT = 5"),
        ("csnn/science.py", "np.exp", "np.expm1"),
        ("csnn/science.py", "import numpy as np", "import mpmath as np"),
        ("csnn/science.py", "on_done=None", "on_done=1"),
        ("csnn/science.py", "value > LIMIT", "value >= LIMIT"),
        ("csnn/science.py", "ValueError(", "KeyError("),
        ("csnn/science.py", "sum(values,", "max(values,"),
        ("csnn/science.py", "start = 0", "start = 1"),
        ("csnn/science.py", "REGISTERED = table()", "REGISTERED = [table()]"),
        ("csnn/science.py", "", "\nnp.seterr(all='ignore')\n"),
        ("csnn/science.py", "", "\nfrom csnn.tools import register\n\n\n@register\ndef new(): ...\n"),
        ("csnn/science.py", "", "\nimport library\n\n\n@library.register(int)\nclass New: ...\n"),
        ("csnn/tools.py", "factor * value", "factor + value"),
        ("csnn/lazy.py", "2", "3"),
        ("csnn/kinds/a.py", "1", "2"),
        ("csnn/kinds/b.py", "", "slope = 1\n"),
    ],
)
def test_what_can_change_a_result_counts(package, name, old, new):
    assert package(name, old, new) != package()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "", "\n# a comment\n"),
        ("csnn/science.py", '"""Simulate."""', '"""Simulate it."""'),
        ("csnn/science.py", "is too large", "must be smaller"),
        ("csnn/science.py", "more than {LIMIT}", "over {LIMIT}"),
        ("csnn/science.py", "is negative", "is below 0"),
        ("csnn/science.py", "this is refused", "this is not taken"),
        ("csnn/science.py", "value: float", "value"),
        ("csnn/science.py", 'print("simulating")', 'print("at work")'),
        ("csnn/science.py", "UNUSED = 4", "UNUSED = 5"),
        ("csnn/science.py", "csv.writer", "csv.reader"),
        ("csnn/science.py", "", "\n\ndef new():\n    return 1\n"),
        ("csnn/tools.py", "a value is needed", "a value, please"),
        ("csnn/tools.py", "return 1", "return 2"),
        ("csnn/job.py", "total", "number"),
    ],
)
def test_what_cannot_change_a_result_does_not_count(package, name, old, new):
    assert package(name, old, new) == package()


def test_files_count_that_a_module_names(package):
    figure = package(script="figure.py")
    assert package("csnn/figures/theme.style", "red", "green", script="figure.py") != figure
    assert package("csnn/figures/other.style", "blue", "green", script="figure.py") == figure


def test_the_package_registers_nothing_in_ways_that_the_digest_does_not_follow():
    """Base classes that register their subclasses, and relative imports, would be missed."""
    for path in (code.FOLDER / "csnn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
            assert getattr(node, "name", "") != "__init_subclass__", path
            assert not (isinstance(node, ast.keyword) and node.arg == "metaclass"), path
            if "import_module" in (getattr(node, "attr", None), getattr(node, "id", None)):
                assert path.name in ("__init__.py", "code.py", "nengodl_compat.py"), path


def test_training_does_not_depend_on_neurons_and_engine():
    modules = {module for module, _ in code.reached("train_cnn.py")}
    assert {"csnn.model.cnn", "csnn.data.images", "csnn.files"} <= modules
    assert not [module for module in modules if module.startswith(("csnn.neurons.l", "csnn.event", "csnn.evaluation"))]


def test_simulation_does_not_depend_on_figures_and_tables():
    modules = {module for module, _ in code.reached("simulate_event.py")}
    assert {"csnn.event.kernels", "csnn.event.plan", "csnn.responses", "csnn.files"} <= modules
    assert not [module for module in modules if module.startswith(("csnn.figures", "csnn.report", "csnn.model"))]


def test_a_builder_counts_with_the_modules_beside_it_and_without_comments(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from blocks import layers\n\ndef build(shape, classes):\n    return layers.one(shape)\n"
    )
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "__init__.py").write_text("")
    (tmp_path / "blocks" / "layers.py").write_text("import sizes\n\ndef one(shape):\n    return sizes.UNITS\n")
    (tmp_path / "sizes.py").write_text("UNITS = 7\n")
    (tmp_path / "other.py").write_text("")
    before = code.digest_of_builder(tmp_path / "mine.py")
    for name, text in {"other.py": "x = 1\n", "sizes.py": '"""Sizes."""\nUNITS = 7  # of one layer\n'}.items():
        (tmp_path / name).write_text(text)
        assert code.digest_of_builder(tmp_path / "mine.py") == before
    (tmp_path / "sizes.py").write_text("UNITS = 8\n")
    assert code.digest_of_builder(tmp_path / "mine.py") != before


def test_what_was_read_from_the_code_is_kept_until_a_source_changes(package, monkeypatch):
    """Also where the copy on the disk is damaged or cannot be written."""
    digest = package()
    kept = code.FOLDER / code._KEPT
    with monkeypatch.context() as patch:
        patch.setattr(code, "reached", mock.Mock(side_effect=AssertionError("the code was read again")))
        code._kept.cache_clear()
        assert code.digest("script.py") == digest
    for content in (
        "{",
        '{"sources": 1}',
        "[]",
        kept.read_text().replace(digest, "0" * 16).replace('"sources": "', '"sources": "0'),
    ):
        kept.write_text(content)
        assert package() == digest
    changed = package("csnn/tools.py", "factor * value", "factor + value")
    assert changed != digest
    kept.unlink()
    kept.mkdir()
    assert package() == digest
