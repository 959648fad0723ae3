"""The experiment: config.yaml validated and completed, and the sweep that it spans."""

import math
import os
import re
import sys
from pathlib import Path

from snakemake.logging import logger

# this repository, also where another workflow takes this one as a module: workflow.basedir is then the other's folder
REPOSITORY = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent.parent
# the package that holds the science lies beside the scripts, where they find it by themselves
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from csnn.experiment import configuration
from csnn.experiment import sweep
from csnn.files import InputError
from csnn.experiment.code import digest

try:
    # a file given by --configfile stands for itself: what it leaves out takes its default, the paper's value
    if not workflow.overwrite_configfiles:
        default = next(path for path in (Path("config.yaml"), REPOSITORY / "config.yaml") if path.is_file())
        configuration.check_file(default)

        configfile: default

    config = configuration.read(config, workflow.overwrite_configfiles or workflow.configfiles)
    if workflow.is_main_process:
        configuration.check_place(Path("results", config["experiment"]))
        for warning in configuration.warnings(config):
            logger.warning(f"Warning: {warning}")
except InputError as error:
    sys.exit(f"Error: {error}")

SNN, SIMULATION, FIGURES = config["snn"], config["simulation"], config["figures"]
ANALYSES, VARIANTS = config["analyses"], config["cnn"]["variants"]
# paths spell the configuration: results/<experiment>/<network>/tau-<tau in s>/seed-<seed>/, where the network is
# <neuron>, <variant of the CNN>/<neuron>, and so on (csnn/experiment/sweep.py)
NETWORKS = sweep.networks(SNN, VARIANTS)
FIRST = "RLR" if "RLR" in NETWORKS else next(iter(NETWORKS))  # shown alone where the paper shows its first neuron
TAUS = {sweep.tau_text(tau): tau for network in NETWORKS.values() for tau in network["tau_syn_s"]}
SEEDS = list(dict.fromkeys(seed for network in NETWORKS.values() for seed in network["seeds"]))
TEST_IMAGES, VALIDATION_IMAGES = config["data"]["test_images"], config["data"]["validation_images"]
IMAGES = {"test": TEST_IMAGES, "validation": VALIDATION_IMAGES}
SHARD = min(SIMULATION["images_per_shard"], max(TEST_IMAGES, VALIDATION_IMAGES))


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


wildcard_constraints:
    network="|".join(map(re.escape, NETWORKS)),
    cnn="|".join(map(re.escape, map(sweep.cnn_folder, [sweep.BASE, *VARIANTS]))),
    tau=r"none|[0-9.e-]+",
    seed=r"\d+",
    images="|".join([*IMAGES, "logit_image"]),
    table="[a-z0-9]+",


scattergather:
    test=math.ceil(TEST_IMAGES / SHARD),
    validation=math.ceil(VALIDATION_IMAGES / SHARD),


def indices(wildcards):
    """Split and positions [first, last + 1] of the images that a set of images holds."""
    if wildcards.images == "test":
        return {"split": "test", "first": 0, "end": TEST_IMAGES}
    if wildcards.images == "validation":
        return {"split": "train", "first": -VALIDATION_IMAGES, "end": 0}
    chosen = FIGURES["logit_image"]
    return {
        "split": chosen["split"],
        "first": chosen["index"],
        "end": chosen["index"] + 1,
    }


def positions(wildcards):
    """Which images of its set a job simulates: [first, last + 1]."""
    if "scatteritem" not in wildcards.keys():  # the image whose logits are shown
        return [0, 1]
    shard, _, shards = wildcards.scatteritem.partition("-of-")
    return [(int(shard) - 1) * SHARD, min(int(shard) * SHARD, IMAGES[wildcards.images])]


def tau_syn_s(wildcards):
    """Synaptic time constant in seconds, or None; of a network as a whole the list of them."""
    return TAUS[wildcards.tau] if "tau" in wildcards.keys() else NETWORKS[wildcards.network]["tau_syn_s"]


def shown_responses(names):
    """Responses of these networks, at each of their time constants, to the image whose logits are shown: first seed."""
    return [f"<results>/{name}/logit_image/seed-{NETWORKS[name]['seeds'][0]}.npz" for name in names]
