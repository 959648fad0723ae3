"""The conda environments of the rules: the versions of the lock, and enough for the scripts that run in them."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from conftest import REPOSITORY

ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
LOCK = REPOSITORY / "envs" / "requirements.lock"
SCRIPTS = REPOSITORY / "workflow" / "scripts"


def normal(name: str) -> str:
    """Return a package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def pins(path) -> dict[str, str]:
    """Return the version of every package that a conda environment or the lock names."""
    if path.suffix == ".yaml":
        lines = next(item["pip"] for item in yaml.safe_load(path.read_text())["dependencies"] if isinstance(item, dict))
    else:
        lines = [line.split()[0] for line in path.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
    found = {}
    for line in lines:
        name, pinned, version = line.partition("==")
        assert pinned and version, f"{path.name}: {line} is not pinned"
        found[normal(name)] = version
    return found


def rule_scripts() -> list[tuple[str, str]]:
    """Return the environment and the script of every rule that runs one."""
    found = []
    for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"\n *(?:use )?(?:rule|checkpoint)\b", path.read_text())[1:]:
            script = re.search(r'script:\s+f?"\.\./scripts/([^"]+)"', rule)
            environments = re.findall(r'"\.\./\.\./envs/([^"]+)"', rule)
            if script:
                chosen = script[1].startswith("{")  # for the engine that the configuration names
                scripts = ["simulate_event.py", "simulate_nengodl.py"] if chosen else [script[1]]
                assert len(environments) == len(scripts), f"{path.name}: each of {scripts} needs one environment"
                found += zip(environments, scripts, strict=True)
    return found


def imported(body: list[ast.stmt]) -> set[str]:
    """Return the modules that statements import whenever they run, which those of a function's body need not."""
    names = set()
    for statement in body:
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            names |= {statement.module} | {f"{statement.module}.{alias.name}" for alias in statement.names}
        elif isinstance(statement, ast.With | ast.Try | ast.If):
            for_types = isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
            names |= set() if for_types else imported(statement.body)
    return names


@cache
def imported_by(file: Path) -> set[str]:
    """Return the modules that a file imports whenever it is imported."""
    return imported(ast.parse(file.read_text()).body)


def packages(script: str) -> set[str]:
    """Return the packages outside of the standard library that a script imports, itself or through csnn."""
    waiting, seen, found = [SCRIPTS / script], set(), set()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imported_by(file):
            inner = SCRIPTS.joinpath(*name.split("."))
            waiting += [path for path in (inner.with_suffix(".py"), inner / "__init__.py") if path.is_file()]
            found.add(name.partition(".")[0])
    return {name for name in found if name not in sys.stdlib_module_names and name != "csnn"}


# the packages that bring each module: cv2 comes with opencv-python, say
DISTRIBUTIONS = {module: set(map(normal, found)) for module, found in packages_distributions().items()}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_has_the_versions_of_the_lock(path):
    lock = pins(LOCK)
    assert {name: lock.get(name) for name in pins(path)} == pins(path)


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_has_the_versions_that_its_source_asks_for(path):
    asked = {}
    for source in re.findall(r"\S+\.in\b", path.read_text().splitlines()[0]):
        for line in (path.parent / source).read_text().splitlines():
            if not line.startswith("#"):
                requirement = Requirement(line)
                asked[normal(requirement.name)] = requirement.specifier
    pinned = pins(path)
    assert asked and asked.keys() <= pinned.keys()
    assert {name: pinned[name] for name, versions in asked.items() if pinned[name] not in versions} == {}


@pytest.mark.parametrize(("environment", "script"), sorted(set(rule_scripts())))
def test_environment_has_what_its_scripts_import(environment, script):
    path = REPOSITORY / "envs" / environment
    assert path in ENVIRONMENTS
    assert packages(script) <= {module for module, found in DISTRIBUTIONS.items() if found & pins(path).keys()}


def test_every_script_belongs_to_a_rule_with_an_environment():
    assert {script for _, script in rule_scripts()} == {path.name for path in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize("path", [LOCK, *ENVIRONMENTS], ids=lambda path: path.name)
def test_no_file_names_a_host(path):
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host| @ ", path.read_text())


class TestSetUp:
    """`make setup` takes Python 3.11 to 3.13, or uv, which fetches one, or says what is missing."""

    @staticmethod
    def set_up(folder: Path, python: str, uv: str = "") -> str:
        """Run it in a folder with a given Python, "" for none, and perhaps a script for uv; return what it prints."""
        shutil.copy2(REPOSITORY / "Makefile", folder)
        (folder / "envs").mkdir()
        shutil.copy2(LOCK, folder / "envs")
        (folder / "bin").mkdir()
        for tool in ("bash", "make", "grep", "sh", *(["touch", "sed"] if uv else [])):
            (folder / "bin" / tool).symlink_to(shutil.which(tool))
        if uv:
            (folder / "bin" / "uv").write_text(uv)
            (folder / "bin" / "uv").chmod(0o755)
        command = ["make", "--directory", str(folder), "setup", f"PYTHON={python}"]
        process = subprocess.run(command, env={"PATH": str(folder / "bin")}, capture_output=True, text=True)
        assert process.returncode != 0 and not (folder / ".venv" / "installed").exists()
        return process.stdout

    @pytest.mark.parametrize(("python", "named"), [("", ""), ("sh", ", and sh is none of them")])
    def test_says_what_is_missing(self, tmp_path, python, named):
        sentence = f"Python 3.11, 3.12 or 3.13 is needed{named}; name one, as in make setup PYTHON=/path/to/python3.12,"
        assert sentence in self.set_up(tmp_path, python)

    def test_lets_uv_fetch_python_where_there_is_none(self, tmp_path):
        printed = self.set_up(tmp_path, "", uv='#!/bin/sh\necho "uv $*"\nexit 1\n')
        assert "\nuv venv --quiet --seed --python 3.11 .venv\n" in printed


def test_package_citation_and_changelog_name_one_version():
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == version
    newest = re.search(r"^## (\d.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert newest == f"{version} ({citation['date-released']})"
