"""The packages of csnn import one another in one direction only, as docs/architecture.md draws them."""

import ast
import re
from graphlib import TopologicalSorter

from conftest import REPOSITORY

PACKAGE = REPOSITORY / "workflow" / "scripts" / "csnn"


def imports() -> dict[str, set[str]]:
    """Return for each package or module in csnn which others there it imports, anywhere in its code."""
    imported: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if room == "__init__":
            continue
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        others = {name.split(".")[1] for name in names if name.startswith("csnn.")}
        imported.setdefault(room, set()).update(others - {room})
    return imported


def test_no_package_imports_one_that_imports_it():
    TopologicalSorter(imports()).prepare()  # raises CycleError, which names the circle


def test_the_architecture_is_drawn_as_it_is():
    drawn: dict[str, set[str]] = {}
    for line in re.findall(r"^ +(\w+) --> ([\w &]+)$", (REPOSITORY / "docs/architecture.md").read_text(), re.MULTILINE):
        drawn.setdefault(line[0], set()).update(line[1].split(" & "))
    everywhere = {"files"}  # which the drawing leaves out
    assert drawn == {room: others - everywhere for room, others in imports().items() if others - everywhere}
