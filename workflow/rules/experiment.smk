"""The experiment: config.yaml validated and completed, and the sweep that it spans."""

import math
import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# the package that holds the science lies beside the scripts, where they find it by themselves
sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from csnn import configuration
from csnn.files import InputError
from csnn.sources import digest

SCHEMA = Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.yaml"

# a file given by --configfile stands for itself: what it leaves out takes the schema's defaults, the paper's values
if not workflow.overwrite_configfiles:

    configfile: next(path for path in (Path("config.yaml"), Path(workflow.basedir) / "config.yaml") if path.is_file())


try:
    schema = yaml.safe_load(SCHEMA.read_text())
    config = configuration.typed(config, schema)
    validate(config, str(SCHEMA))
    config = configuration.check(config, schema)
except WorkflowError as error:
    sys.exit(f"Error: {configuration.sentence(error.__context__)}")
except InputError as error:
    sys.exit(f"Error: {error}")

SNN, SIMULATION, FIGURES = config["snn"], config["simulation"], config["figures"]
# paths spell the configuration: results/<experiment>/<neuron>/tau-<tau in s>/seed-<seed>/
NEURONS = SNN["neurons"]
FIRST = "RLR" if "RLR" in NEURONS else next(iter(NEURONS))  # shown alone where the paper shows its first neuron
TAUS = {"none" if tau is None else str(float(tau)): tau for tau in SNN["tau_syn_s"]}
SEEDS = SNN["seeds"]
TEST_IMAGES = config["data"]["test_images"]


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


wildcard_constraints:
    neuron="[^/]+",
    tau=r"none|[0-9.e-]+",
    seed=r"\d+",
    images="test|logit_image",


scattergather:
    test=math.ceil(TEST_IMAGES / SIMULATION["images_per_shard"]),


def indices(wildcards):
    """Split and positions [first, last + 1] of the images that a set of images holds."""
    if wildcards.images == "test":
        return {"split": "test", "first": 0, "end": TEST_IMAGES}
    chosen = FIGURES["logit_image"]
    return {
        "split": chosen["split"],
        "first": chosen["index"],
        "end": chosen["index"] + 1,
    }


def positions(wildcards):
    """Which images of its set a shard holds: [first, last + 1]."""
    if wildcards.images == "logit_image":
        return [0, 1]
    shard, _, shards = wildcards.scatteritem.partition("-of-")
    size = SIMULATION["images_per_shard"]
    return [(int(shard) - 1) * size, min(int(shard) * size, TEST_IMAGES)]


def neuron_parameters(wildcards):
    """The parameters of the configuration's neuron."""
    return NEURONS[wildcards.neuron]


def tau_syn_s(wildcards):
    """The configuration's synaptic time constant in seconds, or None."""
    return TAUS[wildcards.tau]


def shown_responses(neurons):
    """Responses of these neurons at every time constant to the image whose logits are shown, for the first seed."""
    return expand(
        "<results>/{neuron}/tau-{tau}/seed-{seed}/logit_image-1-of-1.npz",
        neuron=neurons,
        tau=TAUS,
        seed=SEEDS[0],
    )
