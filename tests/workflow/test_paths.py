"""Wherever it runs: other working directories, paths with spaces, as a module, results on another file system."""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from conftest import REPOSITORY, SMALL, changed

OUTER = """
configfile: "outer.yaml"


module csnn:
    snakefile:
        "{repository}/Snakefile"
    config:
        config["csnn"]


use rule * from csnn as csnn_*


rule summary:
    default_target: True
    input:
        "results/small/report.html",
        scores="results/small/tables/scores.csv",
    output:
        "summary.txt",
    shell:
        "wc -l < {{input.scores}} > {{output}}"
"""


def snakemake(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run ``snakemake`` in a folder, and return what it prints."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert process.returncode == code, process.stdout + process.stderr
    return process.stdout + process.stderr


@pytest.fixture
def clone(tmp_path) -> Path:
    """Return a clone of the repository in a folder with spaces and an accent."""
    folder = tmp_path / "a clone, là"
    files = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, text=True
    )
    for name in files.split("\0"):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    return folder


@pytest.fixture
def another_disk(tmp_path) -> Path:
    """Return a folder on another file system than the tests' own."""
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system here")
    with tempfile.TemporaryDirectory(dir=shared_memory) as folder:
        yield Path(folder)


def outer(folder: Path, repository: Path, config: dict) -> Path:
    """Make another workflow, which takes this one as a module."""
    folder.mkdir()
    (folder / "Snakefile").write_text(OUTER.format(repository=repository))
    (folder / "outer.yaml").write_text(yaml.safe_dump({"csnn": config}))
    return folder


def test_as_a_module_with_spaces_in_every_path_and_results_on_another_disk(tmp_path, clone, another_disk, finished):
    """All of it at once, in one run of every rule, which gives the very scores of a plain one."""
    part = {"snn.neurons": {"LIF": {}}, "snn.tau_syn_s": [0.005], "simulation.images_per_shard": 15}
    folder = outer(tmp_path / "another workflow", clone, changed(SMALL, part))
    (folder / "results").symlink_to(another_disk)
    before = sorted(path for path in clone.rglob("*") if "__pycache__" not in path.parts)
    snakemake(folder)
    results = another_disk / "small"
    scores, plain = ((path / "tables" / "scores.csv").read_text().splitlines() for path in (results, finished.results))
    assert "LIF" in scores[-1] and set(scores) < set(plain)
    assert (folder / "summary.txt").read_text() == f"{len(scores)}\n"
    figures = [base64.b64encode(path.read_bytes()).decode() for path in (results / "figures").iterdir()]
    report = (results / "report.html").read_text()
    assert len(figures) == len(list((finished.results / "figures").iterdir()))
    assert all(figure in report for figure in figures)
    assert sorted(path for path in clone.rglob("*") if "__pycache__" not in path.parts) == before
    assert "Nothing to be done" in snakemake(folder, "-n")


def test_a_mistake_in_the_configuration_of_a_module(tmp_path):
    folder = outer(tmp_path / "outer", REPOSITORY, changed(SMALL, {"snn.steps": 0}))
    output = snakemake(folder, "-n", code=1)
    assert output.startswith("Error: config key snn.steps is 0; it must be")
    assert output.count("\n") == 1


def test_from_another_working_directory(tmp_path, clone):
    """Files that a configuration names are looked for in the working directory, the configuration where one stands."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "mine.yaml").write_text(yaml.safe_dump(changed(SMALL, {"cnn.weights": "weights.h5"})))
    (tmp_path / "there" / "weights.h5").touch()
    arguments = ["-n", "--snakefile", f"../{clone.name}/Snakefile", "--configfile", "mine.yaml"]
    output = snakemake(tmp_path / "here", *arguments, "--directory", "../there")
    assert "load_cnn" in output
    output = snakemake(tmp_path / "here", *arguments, code=1)
    assert output.endswith(
        "config key cnn.weights names weights.h5, which does not exist; it must be the path of a file\n"
    )


def test_the_papers_experiment_in_another_working_directory(tmp_path):
    """Without --configfile, it is the repository's config.yaml, unless one lies in the working directory."""
    output = snakemake(REPOSITORY, "-n", "--directory", str(tmp_path))
    assert "results/paper/RLR/tau-0.02/seed-0/test-decisions.npz" in output
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SMALL))
    assert "results/paper" not in snakemake(REPOSITORY, "-n", "--directory", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir() if path.name != ".snakemake"] == ["config.yaml"]


def test_as_a_module_from_a_remote_place_it_says_that_it_must_be_cloned(tmp_path, clone):
    git = ["git", "-C", str(clone), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run([*git, *command], check=True)
    folder = outer(tmp_path / "outer", clone, SMALL)
    local, remote = f'"{clone}/Snakefile"', f'LocalGitFile("{clone}", path="workflow/Snakefile", ref="HEAD")'
    text = (folder / "Snakefile").read_text()
    assert local in text
    text = f"from snakemake.sourcecache import LocalGitFile\n{text.replace(local, remote)}"
    (folder / "Snakefile").write_text(text)
    output = snakemake(folder, "-n", code=1)
    assert output.startswith("Error: this workflow must be cloned")
    assert output.count("\n") == 1


def test_braces_in_the_path_of_the_clone_are_refused(tmp_path, clone):
    clone = clone.rename(tmp_path / "a{x}b")
    output = snakemake(clone, "-n", code=1)
    assert "Error: the workflow is in" in output and output.endswith("use a path without\n")
    assert "Traceback" not in output


def test_no_file_of_the_working_folder_is_imported(tmp_path, finished):
    """Neither by a script, nor by the Snakemake that makes the report."""
    copy = finished.copy(tmp_path / "copy")
    for module in ("random", "queue", "types", "numpy", "pandas", "csv", "csnn"):
        (copy.folder / f"{module}.py").write_text("raise SystemExit(f'{__file__} was imported')\n")
    for path in ("report.html", "figures/figure4.png", "tables/scores.csv"):
        (copy.results / path).unlink()
    snakemake = Path(sys.executable).parent / "snakemake"
    command = [snakemake, *copy.command()[3:]]
    process = subprocess.run(command, cwd=copy.folder, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stdout + process.stderr
