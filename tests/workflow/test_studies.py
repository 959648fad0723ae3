"""The experiments of the studies that the paper builds on, on stand-ins of their data sets' shapes."""

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import REPOSITORY, Workflow, changed

# by experiment: shape of an image, classes, and how many configurations the sweep has
STUDIES = {
    "honzik-p300": ((3, 1200, 1), 2, 4),
    "honzik-mnist": ((28, 28, 1), 10, 2),
    "nguyen-scale-and-tau": ((28, 28, 1), 10, 42),
}
SHORT = {"data.source": "data/stand-in.npz", "data.test_images": 4, "cnn.training": {"epochs": 1}, "snn.steps": 3}
SHORT |= {"snn.seeds": [0], "verification": {"images": 1}, "activity": {"images": 2}}


def study(name: str, folder, changes) -> Workflow:
    """Return an experiment with a stand-in for its data set, of which images differ by class."""
    shape, classes, _ = STUDIES[name]
    rng = np.random.default_rng(0)
    labels = np.arange(20 * classes) % classes
    images = (rng.random((len(labels), *shape)) + labels.reshape(-1, *[1] * len(shape)) / classes).astype(np.float32)
    (folder / "data").mkdir()
    shown = np.arange(1000) % len(labels)
    for file, test in (("stand-in", shown[: 2 * classes]), ("p300", shown)):
        named = {"x_train": images, "y_train": labels, "x_test": images[test], "y_test": labels[test]}
        np.savez(folder / "data" / f"{file}.npz", **named)
    (folder / "experiments").symlink_to(REPOSITORY / "experiments")
    config = yaml.safe_load((REPOSITORY / "experiments" / f"{name}.yaml").read_text())
    return Workflow(folder, config=changed(config, changes))


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_lists_its_jobs(tmp_path, name):
    config = yaml.safe_load((REPOSITORY / "experiments" / f"{name}.yaml").read_text())
    planned = study(name, tmp_path, {}).planned()
    assert planned["gather"] == STUDIES[name][2] * len(config["snn"].get("seeds", [0]))


@pytest.mark.parametrize(
    "name", ["honzik-p300", *(pytest.param(name, marks=pytest.mark.long) for name in list(STUDIES)[1:])]
)
def test_a_study_ends_in_scores_of_every_configuration(tmp_path, name):
    workflow = study(name, tmp_path, SHORT)
    table = f"results/{name}/tables/scores.csv"
    workflow.run(table)
    scores = pd.read_csv(tmp_path / table)
    networks = scores[scores["network"].notna() & (scores["readout"] == "final step")]
    assert len(networks.groupby(["network", "tau_syn_s"], dropna=False)) == STUDIES[name][2]
    assert np.isfinite(networks["accuracy"]).all()
