"""Which code a script runs, as a short hash, so that a change of code reruns what it computes and nothing else.

Snakemake sees that a script was touched, but neither whether that matters nor the modules that the script imports. What
counts here is what can change a result:

- the script itself;
- of every module of this package that it imports, however far away, what runs on import, and the functions, classes and
  constants that the script reaches by name;
- files beside a reached module that this names, such as a style or a template.

What cannot change a result does not count: comments, layout, docstrings, annotations of functions, what `raise`,
`assert` and `print` say, and `csnn.job`, which only writes logs.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from csnn.files import InputError, atomic_write

FOLDER = Path(__file__).resolve().parents[2]
"""Where the scripts are, and this package."""

_ONLY_LOGS = "csnn.job"
_NOT_REGISTERING = {"cache", "contextmanager", "dataclass"}
"""Decorators after which a function or class does nothing until it is used; any other may register it somewhere."""

_REST = ""
"""Name of the part of a module that runs whenever the module is imported."""

_KEPT = "__pycache__/code.json"
"""Where the disk keeps what was read from the code: beside what Python itself keeps of it."""

Key = tuple[str, str]
"""A module, or the file name of a script, and the name of one of its parts."""


def digest(script: str) -> str:
    """Return a short hash of the code that a script runs.

    Parameters
    ----------
    script
        File name in the folder of scripts, for instance ``gather.py``.
    """
    return _described(script)["digest"]


def files(script: str) -> set[Path]:
    """Return every file that `digest` depends on."""
    return {FOLDER / name for name in _described(script)["files"]}


def import_modules(script: str) -> None:
    """Import the modules of this package that a script itself imports."""
    for module in _described(script)["modules"]:
        importlib.import_module(module)


def _described(script: str) -> dict[str, Any]:
    """Return the digest of a script, its files and the modules that it imports, of which the disk keeps a copy.

    To take all modules apart takes a second, in each job and each time that Snakemake starts. The copy holds as long as
    no source changes.
    """
    sources, known = _kept()
    if script not in known:
        content, needed = hashlib.sha256(), set()
        for module, name in sorted(reached(script)):
            part = _parts(module)[name]
            content.update(f"{module}:{name}\n{part.text}\n".encode())
            for file in sorted(part.files):
                content.update(file.read_bytes())
            needed |= {_file(module), *part.files}
        imported = {module for path in _parts(script)[_REST].imported for module, _ in _resolve(path)}
        known[script] = {
            "digest": content.hexdigest()[:16],
            "files": sorted(str(file.relative_to(FOLDER)) for file in needed),
            "modules": sorted(imported),
        }
        with suppress(OSError, InputError), atomic_write(FOLDER / _KEPT) as temporary:
            Path(temporary).write_text(json.dumps({"sources": sources, "scripts": known}), encoding="utf-8")
    return known[script]


@cache
def _kept() -> tuple[str, dict[str, Any]]:
    """Return a hash of all sources, and what the disk keeps of the scripts if they still are the same."""
    content = hashlib.sha256(sys.version.encode())
    for folder, folders, names in os.walk(FOLDER):
        folders[:] = sorted(set(folders) - {"__pycache__"})
        for name in sorted(names):
            file = Path(folder, name)
            content.update(f"{file.relative_to(FOLDER)}\n".encode() + file.read_bytes())
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((FOLDER / _KEPT).read_text(encoding="utf-8"))
        if kept["sources"] == content.hexdigest():
            return kept["sources"], dict(kept["scripts"])
    return content.hexdigest(), {}


def digest_of_rules() -> str:
    """Return a short hash of the files that a run is planned from: the rules, and what computes their parameters."""
    folder = FOLDER.parent
    planning = [folder / "Snakefile", *folder.glob("rules/*.smk"), *FOLDER.glob("csnn/experiment/*.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(planning))).hexdigest()[:16]


def digest_of_builder(path: str | os.PathLike) -> str:
    """Return a short hash of a user's builder and of the modules beside it that it imports, however far away.

    What cannot change a result does not count here either. A file that is no Python counts as it is.
    """
    folder, content = Path(path).resolve().parent, hashlib.sha256()
    waiting, known = [Path(path).resolve()], set()
    while waiting:
        file = waiting.pop()
        if file in known:
            continue
        known.add(file)
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            content.update(file.read_bytes())
            continue
        content.update(f"{file.relative_to(folder)}\n{ast.dump(_Counted().visit(tree))}\n".encode())
        waiting += sorted(_files_beside(tree, folder))
    return content.hexdigest()[:16]


def _files_beside(tree: ast.AST, folder: Path) -> set[Path]:
    """Return the files in a folder, and in packages in it, that code imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    files = set()
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            module = folder.joinpath(*parts[:end])
            files |= {file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()}
    return files


@cache
def reached(script: str) -> frozenset[Key]:
    """Return the parts of modules that a script reaches: functions, classes, constants, and ``""`` for the rest."""
    waiting, known = [(script, _REST)], {(script, _REST)}
    while waiting:
        new = _references(*waiting.pop()) - known
        known |= new
        waiting += new
    return frozenset(known)


@dataclass
class _Part:
    """Statements of a module that count together.

    Attributes
    ----------
    code
        The statements, without what does not count, whatever their layout.
    names
        Names and dotted names in them.
    imports
        Names in them that stand for something imported, with the dotted path of that.
    imported
        Dotted paths of what they import themselves, in order.
    files
        Files beside the module that they name.
    dynamic
        Whether they import modules without naming them: then all those beside theirs count.
    """

    code: str = ""
    names: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)
    imported: list[str] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)
    dynamic: bool = False

    @property
    def text(self) -> str:
        """The code, and what its names stand for."""
        return f"{self.code}{sorted(self.imports.items())}"


@cache
def _parts(module: str) -> dict[str, _Part]:
    """Take a module apart: functions, classes and plain constants by their names, and all the rest as `_REST`."""
    body = _Counted().visit(ast.parse(_file(module).read_text(encoding="utf-8"))).body
    top = {name: path for statement in body if _is_import(statement) for name, path in _imports(statement)}
    parts = {_REST: _Part(imported=list(top.values()))}
    used = Counter(root for statement in body for root in {_root(name) for name in _names(statement)})
    for statement in body:
        if _is_import(statement):
            continue
        name = _REST if module.endswith(".py") else _defined_name(statement, used)
        part = parts.setdefault(name, _Part())
        own = {name: path for node in ast.walk(statement) if _is_import(node) for name, path in _imports(node)}
        names = set(_names(statement))
        part.code += f"{ast.dump(statement)}\n"
        part.names |= names
        part.imports |= {name: top[name] for name in map(_root, names) if name in top} | own
        part.imported += own.values()
        part.dynamic |= any(_is_dynamic_import(node) for node in ast.walk(statement))
        part.files |= set(_data_files(statement, _file(module).parent))
    unused = set(top) - {name for part in parts.values() for name in part.imports}
    parts[_REST].imports |= {name: top[name] for name in unused}  # for others, or for what their import does
    return parts


@cache
def _references(module: str, name: str) -> set[Key]:
    """Return the parts that a part of a module needs."""
    parts = _parts(module)
    part = parts[name]
    keys = {(module, _REST)}
    for path in part.imported:
        keys |= {key for key in _resolve(path) if key[1] == _REST}
    if part.dynamic:
        keys |= {key for beside in _file(module).parent.glob("*.py") for key in _whole(_module(beside))}
    for dotted in part.names:
        root = _root(dotted)
        if root in part.imports:
            path = part.imports[root] + dotted.removeprefix(root)
            keys |= _resolve(path)
        elif root in parts:
            keys.add((module, root))
        elif root == "globals" and not module.endswith(".py"):
            keys |= _whole(module)
    return keys


def _resolve(path: str) -> set[Key]:
    """Return the parts that a dotted path stands for, and those that run when its modules are imported."""
    names = path.split(".")
    if names[0] != "csnn" or path == _ONLY_LOGS or path.startswith(f"{_ONLY_LOGS}."):
        return set()
    modules = [".".join(names[:end]) for end in range(1, len(names) + 1)]
    modules = [module for module in modules if _file(module).is_file()]
    keys = {(module, _REST) for module in modules}
    rest = names[modules[-1].count(".") + 1 :]
    if not rest:
        return keys | _whole(modules[-1])
    parts = _parts(modules[-1])
    if rest[0] in parts:
        return keys | {(modules[-1], rest[0])}
    if rest[0] in parts[_REST].imports:  # imported there from elsewhere
        return keys | _resolve(".".join([parts[_REST].imports[rest[0]], *rest[1:]]))
    return keys


def _whole(module: str) -> set[Key]:
    """Return all parts of a module."""
    return {(module, name) for name in _parts(module)}


@cache
def _file(module: str) -> Path:
    """Return the file of a module, of a package, or of a script."""
    if module.endswith(".py"):
        return FOLDER / module
    path = FOLDER.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _module(file: Path) -> str:
    """Return the module of a file."""
    return ".".join(file.relative_to(FOLDER).with_suffix("").parts).removesuffix(".__init__")


def _defined_name(statement: ast.stmt, used: Mapping[str, int]) -> str:
    """Return the name by which a statement is used, if it does nothing until then; else `_REST`."""
    match statement:
        case ast.FunctionDef() | ast.ClassDef():
            decorators = {name for decorator in statement.decorator_list for name in _names(decorator)}
            return statement.name if decorators <= _NOT_REGISTERING else _REST
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            # a call whose result no other statement uses may be there for what it does
            return _REST if isinstance(statement.value, ast.Call) and used[name] == 1 else name
    return _REST


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_dynamic_import(node: ast.AST) -> bool:
    """Whether code imports a module of this package whose name is computed."""
    if not (isinstance(node, ast.Call) and "".join(_names(node.func)).endswith("import_module")):
        return False
    parts = {getattr(part, "id", None) or str(getattr(part, "value", "")) for part in ast.walk(node)}
    return any(part in ("__name__", "__package__") or part.startswith("csnn.") for part in parts)


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that an import statement binds, with what they stand for as dotted paths."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (_root(alias.name), _root(alias.name))
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names in code, with the attributes that are taken from them: ``a``, ``a.b.c``."""
    attributes: list[str] = []
    base = node
    while isinstance(base, ast.Attribute):
        attributes.insert(0, base.attr)
        base = base.value
    if isinstance(base, ast.Name):
        yield ".".join([base.id, *attributes])
        return
    for child in ast.iter_child_nodes(base):
        yield from _names(child)


def _root(dotted: str) -> str:
    return dotted.partition(".")[0]


def _data_files(statement: ast.stmt, folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, other than code, that a statement names."""
    beside = _names_in(folder)
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in beside:
            yield folder / node.value


@cache
def _names_in(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.endswith(".py")}


def _is_error(name: str) -> bool:
    return name.endswith(("Error", "Exception"))


def _acts(node: ast.AST) -> bool:
    """Whether an expression may do more than give a value."""
    if isinstance(node, ast.Call):
        return not (isinstance(node.func, ast.Name) and node.func.id in ("len", "str", "repr", "sorted"))
    return isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom)


class _Shortened(ast.NodeTransformer):
    """Keeps code valid from which statements are taken."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node


class _WithoutUnused(_Shortened):
    """Leaves out of a function what it assigns to names that it does not use: parts of its errors' sentences."""

    def __init__(self, function: ast.FunctionDef):
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        self.used = {node.id for node in names if not isinstance(node.ctx, ast.Store)}
        self.used |= {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node  # what is assigned in its body is an attribute

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
        acts = any(_acts(part) for part in ast.walk(node.value))
        return node if acts or len(targets) < len(node.targets) or targets & self.used else None


class _Counted(_Shortened):
    """Leaves out of code what cannot change a result."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return _WithoutUnused(node).generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if any(isinstance(base, ast.Name) and _is_error(base.id) for base in node.bases):
            node.body = []
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and _is_error(node.func.id):
            return node.func
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        match node.value:
            case ast.Constant() | ast.Call(func=ast.Name(id="print")):
                return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        node.cause = None
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)
