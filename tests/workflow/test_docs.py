"""Every command in the documentation is run, every file that it states is read, and every link leads somewhere.

Heavy commands are made light, not left out: ``make`` is run with ``-n``, ``snakemake`` as a dry run, but for the
tutorial's own sweep, which runs whole on a smaller network, and ``pytest`` only collects. What needs a cluster or a
remote is listed in `ELSEWHERE`.
Run ``pytest tests/workflow/test_docs.py -s`` for the list of what was run.
"""

import re
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import REPOSITORY, SMALL, forked_snakemake

PAGES = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in ("", "config", "docs")
    for path in (REPOSITORY / folder).glob("*.md")
)
ELSEWHERE = {
    "git clone": "the clone is what the tests run in",
    "cd": "the tests' folder is the repository",
    "source": "the tests' environment is active",
    "squeue": "tests/slurm runs jobs on a real SLURM",
    "tail -f": "does not end",
    "ls slurm_logs": "tests/slurm runs jobs on a real SLURM",
    "column -t results/<experiment>": "any experiment's benchmarks",
}
# a network that trains and simulates in seconds; what the tutorial's own file states goes before it
SMALLER = {key: SMALL[key] for key in ("cnn", "verification", "figures")} | {"snn": {"steps": 12}}


def blocks(page: str) -> list[tuple[str, str]]:
    """Return language and content of each fenced block of a page."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Return the commands of a page's bash blocks, without comments."""
    lines = [line for language, content in blocks(page) if language == "bash" for line in content.splitlines()]
    return [line for line in (re.sub(r"(^|\s+)#.*", "", line) for line in lines) if line.strip()]


def light(page: str, command: str) -> list[str]:
    """Return a command as the test runs it: light, but the same command otherwise; empty if it is run elsewhere."""
    if any(command.startswith(known) for known in ELSEWHERE):
        return []
    program, *arguments = shlex.split(command)
    if program == "make":
        return ["make", "-n", *arguments]
    if program == "python":
        return [sys.executable, *arguments]
    if program == "pytest":
        return [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *arguments]
    assert program == "snakemake", f"{page}: say in this test how `{command}` is to be run"
    run = [sys.executable, "-m", "snakemake", *arguments]
    if page == "docs/tutorial.md" and "-n" not in arguments:
        place = arguments.index("--configfile") + 1
        return [*run[: 3 + place], "smaller.yaml", *run[3 + place :]]
    return run if "-n" in arguments or "--unlock" in arguments else [*run, "-n"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """Return a copy of the repository, with the files that the pages tell to make or speak of as the reader's own."""
    folder = tmp_path_factory.mktemp("clone")
    files = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, text=True
    )
    for name in files.splitlines():
        source, target = REPOSITORY / name, folder / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.readlink()) if source.is_symlink() else target.write_bytes(source.read_bytes())
    (folder / "smaller.yaml").write_text(yaml.safe_dump(SMALLER))
    (folder / "trained_cnn.weights.h5").write_bytes(b"")
    images, labels = np.zeros((500, 8, 8, 1), np.uint8), np.arange(500) % 2
    (folder / "path/to").mkdir(parents=True)
    np.savez(folder / "path/to/images.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return folder


def make_files(page: str, folder: Path) -> None:
    """Make the files that a page states: those blocks whose first line is a comment with a file's name."""
    for language, content in blocks(page):
        named = re.match(r"# ([\w/-]+\.(?:yaml|py|smk))\n", content)
        if named and language in ("yaml", "python", "snakemake"):
            (folder / named[1]).write_text(content)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_runs(page, clone, monkeypatch, tmp_path):
    make_files(page, clone)
    monkeypatch.delenv("CSNN_CIFAR10", raising=False)
    print()
    for command in commands(page):
        run = light(page, command)
        print(f"{page}: {command}\n    -> {shlex.join(run).replace(sys.executable, 'python') if run else 'elsewhere'}")
        if run:
            if run[1:3] == ["-m", "snakemake"] and "-n" in run:
                process = forked_snakemake(run[3:], clone, tmp_path)
            else:
                process = subprocess.run(run, cwd=clone, capture_output=True, text=True, timeout=900)
            assert process.returncode == 0, process.stdout + process.stderr
    if page == "docs/tutorial.md":
        assert (clone / "results/mine/report.html").stat().st_size > 1e6


@pytest.mark.parametrize("page", PAGES)
def test_stated_files_are_valid(page):
    for language, content in blocks(page):
        if language == "yaml":
            assert isinstance(yaml.safe_load(content), dict)
        elif language == "python":
            compile(content, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", (REPOSITORY / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:", link)]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            kept = [
                "".join(letter for letter in head.lower() if letter in " -_" or unicodedata.category(letter)[0] in "LN")
                for head in heads
            ]
            assert anchor in [head.replace(" ", "-") for head in kept], f"{page}: {link}"
