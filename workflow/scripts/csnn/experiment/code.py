"""Which code a script runs: so that a change of a module reruns what depends on it, and nothing else.

Snakemake sees changes of a rule's script but not of the modules that it imports.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2]


def digest(script: str, *others: str) -> str:
    """Return a short hash of a script and of all modules of this package that it imports, however far away.

    Comments and formatting do not count, nor do docstrings: they change no number.

    Parameters
    ----------
    script
        File name in the folder of scripts, for instance ``gather.py``.
    others
        Further files there that it reads, for instance a style of figures.
    """
    content = hashlib.sha256(b"".join((_FOLDER / other).read_bytes() for other in others))
    for module in sorted(_reached(_FOLDER / script)):
        content.update(f"{module.relative_to(_FOLDER)}\n{_code(module)}\n".encode())
    return content.hexdigest()[:16]


def _reached(file: Path) -> set[Path]:
    """Follow imports of this package's modules from a file; the file itself is among what is returned."""
    reached: set[Path] = set()
    waiting = [file]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += _imports(file)
    return reached


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    """Return the files of this package that a file imports, at its top or within functions."""
    paths: list[Path] = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                paths += _module(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                paths += _module(f"{node.module}.{alias.name}") or _module(node.module)
    return tuple(paths)


def _module(name: str) -> list[Path]:
    """Return the file of a module of this package, or all files of a package itself, which may import any of them."""
    if not name.startswith("csnn."):
        return []
    path = _FOLDER.joinpath(*name.split("."))
    file = path.with_suffix(".py")
    return [file] if file.is_file() else sorted(path.glob("*.py"))


@cache
def _code(file: Path) -> str:
    """Return a file's code without comments, formatting and docstrings."""
    tree = _tree(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _tree(file: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(file.read_text(encoding="utf-8"))
