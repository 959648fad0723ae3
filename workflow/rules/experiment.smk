"""The experiment: config.yaml validated and completed, and the sweep that it spans."""

import math
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# the package that holds the science lies beside the scripts, where they find it by themselves
sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from csnn import configuration
from csnn.files import InputError
from csnn.sources import digest

# a file given by --configfile stands for itself: what it leaves out takes the schema's defaults, the paper's values
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


try:
    validate(config, "../schemas/config.schema.yaml")
    config = configuration.check(config)
except WorkflowError as error:
    raise WorkflowError(configuration.sentence(error.__cause__ or error.args[-1])) from None
except InputError as error:
    raise WorkflowError(str(error)) from None

SNN, SIMULATION, FIGURES = config["snn"], config["simulation"], config["figures"]
# paths spell the configuration: results/<experiment>/<neuron>/tau-<tau in s>/seed-<seed>/
NEURONS = SNN["neurons"]
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
