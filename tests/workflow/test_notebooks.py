"""The notebooks of the documentation run from a reader's folder, and hold no more than they should."""

import sys

import nbformat
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs"))

from notebooks import NOTEBOOKS, executed

FIGURES = {"keras-to-spikes.ipynb": 2, "reading-results.ipynb": 2}


def outputs(notebook) -> list:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def figures(notebook) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "workflow" / "scripts"))  # as pip install . does
    (tmp_path / "docs").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "demo").symlink_to(finished.results)
    notebook = executed(path, tmp_path / "docs")
    assert figures(notebook) == FIGURES[path.name]
    text = "".join(output.get("text", "") for output in outputs(notebook))
    if path.stem == "keras-to-spikes":
        assert "no logit differs by more than 1e-9: True" in text
        accuracies = [float(line.split()[1]) for line in text.splitlines() if " % " in line and ":" in line]
        assert len(accuracies) == 5
        assert min(accuracies[:3]) > 80  # CNN, RLR, SRL


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_shows_its_figures_and_neither_paths_nor_errors(path):
    notebook = nbformat.read(path, as_version=4)
    assert figures(notebook) == FIGURES[path.name]
    assert {output.output_type for output in outputs(notebook)} <= {"stream", "display_data", "execute_result"}
    assert all(output.get("name", "stdout") == "stdout" for output in outputs(notebook))
    shown = [str(output) for output in outputs(notebook) if "image/png" not in output.get("data", {})]
    assert not any(root in str(shown) for root in (str(REPOSITORY), "/home", "/tmp", "/root"))
    assert path.stat().st_size < 200_000
