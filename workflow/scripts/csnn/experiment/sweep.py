"""The sweep that a configuration spans: which networks there are, and where each one's results lie.

A network is a CNN with neurons and with the settings of its conversion. Its name is a path that spells these: the
variant of the CNN (left out for the one of ``cnn.architecture``), the neuron, each setting that differs from that
under ``snn``, and the kind of synapse if it is not a lowpass. So a further value of a setting adds a folder and touches
no other.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from csnn import neurons, synapses
from csnn.data.sources import SOURCES, identity, overview
from csnn.experiment import content
from csnn.experiment.code import digest, digest_of_builder
from csnn.files import InputError, exit_on_input_error, hash_of_json, read_text
from csnn.synapses import LOWPASS

BASE = "base"
"""Name of the CNN of ``cnn.architecture``, from which variants are made."""

GIVEN_WEIGHTS = "given weights"
"""How a CNN was made whose weights come from a file."""

LIF_CURVE, RECTIFIED = {"LIF", "A-LIF"}, {"RLR", "SRL", "RSRL"}
"""Neuron types whose rate at a constant current is that of LIF neurons, and those where it is a multiple of a ReLU."""

RESERVED = {"cnn", "images", "tables", "figures", "logs", "benchmarks", "verification", "report", BASE}
"""Folders of an experiment, after which no variant and no neuron can be named."""


def cnn_folder(variant: str) -> str:
    """Return the folder of a CNN in the experiment's results."""
    return "cnn" if variant == BASE else f"cnn/{variant}"


def tau_text(tau_syn_s: float | None) -> str:
    """Write a time constant as paths do: in seconds, or ``none``."""
    return "none" if tau_syn_s is None else str(float(tau_syn_s))


def parse_tau(text: str) -> float | None:
    """Read a time constant as `tau_text` writes it."""
    return None if text == "none" else float(text)


def lineage(variants: Mapping[str, Mapping], name: str) -> list[str]:
    """Return a variant and what it was made from, step by step, without the base.

    Raises
    ------
    InputError
        If a variant is unknown or made from itself.
    """
    line: list[str] = []
    while name not in (BASE, None):
        if name in line:
            made = " from ".join([*line, name])
            raise InputError(
                f"config key cnn.variants: {name} is made from itself ({made}); one must be from base or null"
            )
        if name not in variants:
            raise InputError(f"config key cnn.variants has no {name}; known are {', '.join([BASE, *variants])}")
        line.append(name)
        name = variants[name]["from"]
    return line


def activation(variants: Mapping[str, Mapping], name: str) -> str:
    """Return the activation that a CNN has, relu or the name of a neuron: that of the last step that set it."""
    for variant in lineage(variants, name):
        if calibrate := variants[variant]["calibrate"]:
            return calibrate["neuron"]
        tune = variants[variant]["tune"]
        if tune["epochs"] or tune["activation"] != "relu":
            return tune["activation"]
        if variants[variant]["weights"]:
            return variants[variant]["activation"]
    return "relu"


def making(variant: Mapping) -> dict[str, Any]:
    """Say how a variant is made, for a table.

    Returns
    -------
    dict
        ``from``; ``made_by`` in words; ``labelled_images`` and ``unlabelled_images``, of which None means all that are
        there, and 0 none.
    """
    tune, calibrate = variant["tune"], variant["calibrate"]
    changes = variant["architecture"].items()
    words = [f"{value} pooling" if key == "pooling" else f"{key} {value}" for key, value in changes]
    if variant["weights"]:
        curve = variant["activation"]
        words.append(GIVEN_WEIGHTS + (f", trained with the rate curve of {curve}" if curve != "relu" else ""))
    neuron = tune["activation"]
    if tune["epochs"]:
        curve = "" if neuron == "relu" else f" with the rate curve of {neuron}"
        words.append(f"{tune['epochs']} epoch{'s' * (tune['epochs'] > 1)} of tuning{curve}")
    elif neuron != "relu":
        words.append(f"gains of {neuron} folded in")
    if calibrate:
        means = {"bias": "biases alone", "least-squares": "least squares"}[calibrate["method"]]
        words.append(f"calibration to {calibrate['neuron']}, {means}")
    unlabelled = calibrate["images"] if calibrate else tune["images"] if neuron != "relu" and not tune["epochs"] else 0
    return {
        "from": variant["from"],
        "made_by": "; ".join(words) or "nothing changed",
        "labelled_images": tune["images"] if tune["epochs"] else 0,
        "unlabelled_images": unlabelled,
    }


def architecture(variants: Mapping[str, Mapping], base: Mapping, name: str) -> dict:
    """Return the sizes of a CNN: those of the base, changed by each step of how it is made."""
    changed = dict(base)
    for variant in reversed(lineage(variants, name)):
        changed |= variants[variant]["architecture"]
    return changed


def networks(snn: Mapping, variants: Mapping[str, Mapping]) -> dict[str, dict]:
    """Return every network of the sweep by its name.

    Parameters
    ----------
    snn
        The configuration's ``snn``: each row of its table ``networks`` crosses the lists that it names; what it leaves
        out is as under ``snn``.
    variants
        The configuration's ``cnn.variants``.

    Returns
    -------
    dict
        Of each network ``variant``, ``neuron``, ``neuron_parameters``, ``max_rate_hz`` (one, or one for each layer),
        ``initial_voltage``, ``synapse``, ``tau_syn_s`` (list) and ``seeds`` (list).

    Raises
    ------
    InputError
        If a row names an unknown neuron or variant, or a network stands in two rows.
    """
    networks_by_name: dict[str, dict] = {}
    for row in snn["networks"]:
        for variant, neuron, max_rate_hz, initial_voltage, synapse in product(
            row.get("cnn", [BASE]),
            row.get("neurons", snn["neurons"]),
            row.get("max_rate_hz", [snn["max_rate_hz"]]),
            row.get("initial_voltage", [snn["initial_voltage"]]),
            row.get("synapse", [snn["synapse"]]),
        ):
            lineage(variants, variant)
            if neuron not in snn["neurons"]:
                raise InputError(
                    f"config key snn.networks names the neuron {neuron}, which snn.neurons has not; "
                    f"it has {', '.join(snn['neurons'])}"
                )
            parts = [neuron] if variant == BASE else [variant, neuron]
            if max_rate_hz != snn["max_rate_hz"]:
                parts.append(f"rate-{rates_text(max_rate_hz)}")
            if initial_voltage != snn["initial_voltage"]:
                parts.append(f"start-{initial_voltage}")
            if synapse != LOWPASS:
                parts.append(synapses.text(synapse))
            name = "/".join(parts)
            if name in networks_by_name:
                raise InputError(f"config key snn.networks has the network {name} twice; each must stand in it once")
            networks_by_name[name] = {
                "variant": variant,
                "neuron": neuron,
                "neuron_parameters": snn["neurons"][neuron],
                "max_rate_hz": max_rate_hz,
                "initial_voltage": initial_voltage,
                "synapse": synapse,
                "tau_syn_s": row.get("tau_syn_s", snn["tau_syn_s"]),
                "seeds": row.get("seeds", snn["seeds"]),
            }
    return networks_by_name


def rates_text(max_rate_hz: float | Sequence[float] | Mapping[str, float]) -> str:
    """Write maximal rates as paths do: one, one for each layer, or one at a percentile of the activations.

    Three layers in a row of 100 Hz are ``100x3``.
    """
    if isinstance(max_rate_hz, Mapping):
        return f"{max_rate_hz['hz']:g}-at-{max_rate_hz['percentile']:g}"
    rates = max_rate_hz if isinstance(max_rate_hz, Sequence) else [max_rate_hz]
    runs = [(f"{rate:g}", len(list(layers))) for rate, layers in groupby(rates)]
    return "-".join(f"{rate}x{layers}" if layers > 1 else rate for rate, layers in runs)


def configurations(networks: Mapping[str, Mapping], seeds: int | None = None) -> Iterator[tuple[str, str, int]]:
    """Yield network, time constant (as in paths) and seed of each configuration; of each network the first `seeds`."""
    for name, network in networks.items():
        for tau_syn_s, seed in product(network["tau_syn_s"], network["seeds"][:seeds]):
            yield name, tau_text(tau_syn_s), seed


CORRUPTED = "corrupted-"
"""What the names of sets of disturbed images begin with."""

CONFIGURATION = "<results>/{network}/tau-{tau}/seed-{seed}"
"""Folder of a configuration: a network at one time constant and with one seed."""

TAUS_PER_JOB = 8
"""How many time constants one simulation or certificate is about at most: file names end at 255 bytes."""


def together(taus: Iterable[str], there: Iterable[str], at_most: int = TAUS_PER_JOB) -> list[str]:
    """Return which time constants have a job together.

    Parameters
    ----------
    taus
        All that are wanted, as in paths.
    there
        Those that had a job together before, each joined by ``+``. They stay together, so that what is there is not
        made again for a further one.
    at_most
        How many have a new job together.

    Returns
    -------
    list of str
        Of each job the time constants, joined by ``+``.
    """
    jobs, missing = [], list(taus)
    wanted = set(missing)
    for known in sorted(there, key=lambda joined: (len(set(joined.split("+")) - wanted), joined)):
        if not set(missing).isdisjoint(known.split("+")):
            missing = [tau for tau in missing if tau not in known.split("+")]
            jobs.append(known)
    return jobs + ["+".join(missing[first : first + at_most]) for first in range(0, len(missing), at_most)]


@dataclass(frozen=True)
class Sweep:
    """What an experiment consists of, and what the wildcards of its paths stand for.

    Methods that take ``wildcards`` are input functions and parameters of rules: Snakemake calls them with the wildcards
    of a job, tests with any object that has these attributes.

    Attributes
    ----------
    config
        The experiment's complete configuration.
    digest
        Of the code of a script.
    """

    config: Mapping[str, Any]
    digest: Callable[[str], str] = digest

    @cached_property
    def networks(self) -> dict[str, dict]:
        """Every network by its name (see `networks`)."""
        return networks(self.config["snn"], self.variants)

    @property
    def variants(self) -> Mapping[str, Mapping]:
        """The variants of the CNN, without the base."""
        return self.config["cnn"]["variants"]

    @property
    def engine(self) -> str:
        """What simulates: ``event`` or ``nengo-dl``."""
        return self.config["simulation"]["engine"]

    @property
    def simulation_script(self) -> str:
        """The script of the engine."""
        return {"event": "simulate_event.py", "nengo-dl": "simulate_nengodl.py"}[self.engine]

    @cached_property
    def code(self) -> str:
        """Digest of the code that simulates."""
        return self.digest(self.simulation_script)

    @property
    def seeds(self) -> list[int]:
        """Every seed of any network, each once."""
        return list(dict.fromkeys(seed for network in self.networks.values() for seed in network["seeds"]))

    @property
    def first_network(self) -> str:
        """The network that is shown alone where the paper shows RLR: RLR, or the first."""
        return "RLR" if "RLR" in self.networks else next(iter(self.networks))

    @property
    def networks_of_first_cnn(self) -> list[str]:
        """The networks that are converted from the same CNN as the first: their neurons can be compared one by one."""
        return [name for name, network in self.networks.items() if network["variant"] == self.cnns[0]]

    @property
    def first_tau(self) -> str:
        """The first time constant of the first network, as in paths."""
        return next(configurations(self.networks))[1]

    @cached_property
    def dataset(self) -> str:
        """What tells the data set from others: a public one by its files, a user's own by its content."""
        source = self.config["data"]["source"]
        return identity(source) if source in SOURCES else content.digest(source)

    # ---- images ------------------------------------------------------------------------------------------------------

    @property
    def number_of_images(self) -> dict[str, int]:
        """How many images each set has that the spiking networks see in shards."""
        of_data = {name: self.config["data"][f"{name}_images"] for name in ("test", "validation")}
        return of_data | dict.fromkeys(self.corrupted, self.corrupted_images)

    @property
    def corrupted(self) -> list[str]:
        """The sets of disturbed images, one for each kind of corruption."""
        asked = "corruptions" in self.config["analyses"]
        return [f"{CORRUPTED}{kind}" for kind in self.config["corruptions"]["kinds"]] if asked else []

    @property
    def corrupted_images(self) -> int:
        """How many images each of these sets has: the first test images, at one strength after another."""
        return self.config["corruptions"]["images"] * len(self.config["corruptions"]["strengths"])

    def corruption(self, wildcards: Any) -> dict[str, Any]:
        """How a set of images is disturbed."""
        settings = {key: self.config["corruptions"][key] for key in ("strengths", "images", "seed")}
        return {"kind": wildcards.corrupted.removeprefix(CORRUPTED), **settings}

    @property
    def shard(self) -> int:
        """How many images one job simulates."""
        return min(self.config["simulation"]["images_per_shard"], max(self.number_of_images.values()))

    def shards(self, wildcards: Any) -> list[str]:
        """The shards that a set of images is cut into; each holds all time constants that are simulated together."""
        name, seed, images = wildcards.network, wildcards.seed, wildcards.images
        taus = next(job for job in self.simulated_together(name, seed, images) if wildcards.tau in job.split("+"))
        number = math.ceil(self.number_of_images[images] / self.shard)
        folder = CONFIGURATION.format(network=name, tau=taus, seed=seed)
        return [f"{folder}/{images}-{i}-of-{number}.npz" for i in range(1, number + 1)]

    def simulated_together(self, name: str, seed: int | str, images: str) -> list[str]:
        """Which time constants of a network one job simulates together on a set of images; see `together`.

        They share what does not depend on the time constant. On the test images, disturbed or not, only what was chosen
        is simulated where choices are made, so there each time constant has jobs of its own.
        """
        key = name, str(seed), images
        if key not in self._simulated_together:
            folders = Path("results", self.config["experiment"], name).glob(f"tau-*/seed-{seed}")
            there = [
                folder.parent.name.removeprefix("tau-") for folder in folders if any(folder.glob(f"{images}-*-of-*"))
            ]
            disturbed = images in self.corrupted
            taus = list(map(tau_text, self.disturbed_taus(name) if disturbed else self.networks[name]["tau_syn_s"]))
            if self.engine != "event":  # NengoDL simulates each by itself
                there = []
            chosen = (disturbed or images == "test") and "gap" in self.config["analyses"]
            at_most = 1 if chosen or self.engine != "event" else TAUS_PER_JOB
            self._simulated_together[key] = together(taus, there, at_most)
        return self._simulated_together[key]

    @property
    def taus_per_job(self) -> int:
        """How many time constants a job is about at most: the same for each, for clusters send them off together."""
        return min(TAUS_PER_JOB, max(len(network["tau_syn_s"]) for network in self.networks.values()))

    @cached_property
    def _simulated_together(self) -> dict[tuple[str, str, str], list[str]]:
        """What `simulated_together` returned; it stays the same while shards come to be."""
        return {}

    def indices(self, wildcards: Any) -> dict[str, Any]:
        """Split of the data set and positions [first, end) in it of the images of a set; negative: from the end."""
        if wildcards.images == "test":
            return {"split": "test", "first": 0, "end": self.number_of_images["test"]}
        if wildcards.images == "validation":
            return {"split": "train", "first": -self.number_of_images["validation"], "end": 0}
        shown = self.config["figures"]["logit_image"]
        return {"split": shown["split"], "first": shown["index"], "end": shown["index"] + 1}

    def positions(self, wildcards: Any) -> list[int]:
        """Which images of its set a job simulates: [first, end)."""
        if wildcards.images == "logit_image":
            return [0, 1]
        position = int(wildcards.shard.partition("-of-")[0])
        return [(position - 1) * self.shard, min(position * self.shard, self.number_of_images[wildcards.images])]

    def validation_responses(self, wildcards: Any) -> str | list[str]:
        """Responses to the validation images, where decisions on the test images are calibrated on them."""
        if wildcards.images != "test" or not self.config["readouts"]["conformal"]:
            return []
        return f"{CONFIGURATION}/validation.npz"

    # ---- the CNN -----------------------------------------------------------------------------------------------------

    @cached_property
    def architecture(self) -> dict[str, Any]:
        """The base CNN's sizes, or its file or builder alone."""
        sizes = dict(self.config["cnn"]["architecture"])
        builder, model = sizes.pop("builder"), self.config["cnn"]["model"]
        return {"model": model} if model else {"builder": builder} if builder else sizes

    @property
    def trains(self) -> bool:
        """Whether the base CNN is trained, rather than read with its weights."""
        return not self.files(BASE)

    def files(self, name: str) -> list[str]:
        """The files that a CNN's architecture and its own weights are read from, without its builder."""
        return [path for path in (self.config["cnn"]["model"], self._weights(name)) if path]

    def _weights(self, name: str) -> str | None:
        """The file of a CNN's own weights, if it has one."""
        return (self.config["cnn"] if name == BASE else self.variants[name])["weights"]

    @cached_property
    def contents(self) -> dict[str, list[str]]:
        """The content of each CNN's `files`."""
        return {name: list(map(content.digest, self.files(name))) for name in [BASE, *self.variants]}

    @cached_property
    def builder_code(self) -> str | None:
        """Digest of the builder's file and of what it imports beside it, if there is one."""
        builder = self.architecture.get("builder")
        return digest_of_builder(builder.rpartition(":")[0]) if builder else None

    def cnn_settings(self, name: str) -> dict[str, Any]:
        """What a CNN is made with, step by step: it stands in the model's file, and its readers compare."""
        if name == BASE:
            training = {"training": self.config["cnn"]["training"], "held_out": self.number_of_images["validation"]}
            made: dict[str, Any] = training if self.trains else {"files": self.contents[BASE]}
            return {"dataset": self.dataset, "architecture": self.architecture} | self._builder_code | made
        parent = self._parent(name)
        return {
            "dataset": self.dataset,
            "architecture": architecture(self.variants, self.architecture, name),
            **({} if parent else self._builder_code),
            **({"files": self.contents[name]} if self._weights(name) else {}),
            "tune": self._tuning(name),
            **self._calibration(name),
            "held_out": self.number_of_images["validation"],
            "from": self.cnn_settings(parent) if parent else None,
        }

    @property
    def _builder_code(self) -> dict[str, str]:
        return {"builder_code": self.builder_code} if self.builder_code else {}

    def _parent(self, name: str) -> str | None:
        """The CNN whose weights a variant starts from; None where it has its own, or new ones."""
        return None if self._weights(name) else self.variants[name]["from"]

    def _tuning(self, name: str) -> dict[str, Any]:
        """How a variant is tuned, with the neuron whose rate curve is the activation, if there is one."""
        tune = self.variants[name]["tune"]
        rates = {"max_rate_hz": self.config["snn"]["max_rate_hz"]} if tune["rate_hz"] is not None else {}
        return tune | {"rate_curve": self._rate_curve(tune["activation"])} | rates

    def _calibration(self, name: str) -> dict[str, Any]:
        """How a variant is calibrated, with the neuron's rate curve; nothing if it is not."""
        calibrate = self.variants[name]["calibrate"]
        return {"calibrate": calibrate | {"rate_curve": self._rate_curve(calibrate["neuron"])}} if calibrate else {}

    def _rate_curve(self, activation: str) -> dict[str, Any] | None:
        """The neuron whose rate curve is an activation, and its rate in Hz at an activation of 1; None for ReLU."""
        snn = self.config["snn"]
        if activation == "relu" or neurons.neuron_type(activation, snn["neurons"][activation]) in RECTIFIED:
            return None
        return {"neuron": snn["neurons"][activation], "max_rate_hz": snn["max_rate_hz"]}

    def variant_settings(self, wildcards: Any) -> dict[str, Any]:
        """What a variant is made with."""
        return self.cnn_settings(wildcards.variant)

    def parent_settings(self, wildcards: Any) -> dict[str, Any] | None:
        """What the CNN that a variant is made from was made with, if there is one."""
        parent = self._parent(wildcards.variant)
        return self.cnn_settings(parent) if parent else None

    def parent_model(self, wildcards: Any) -> str | list[str]:
        """The CNN that a variant is made from, if there is one."""
        parent = self._parent(wildcards.variant)
        return model_file(parent) if parent else []

    def variant_files(self, wildcards: Any) -> list[str]:
        """The files that a variant with weights of its own is read from."""
        return self.files(wildcards.variant) if self._weights(wildcards.variant) else []

    def variant_weights(self, wildcards: Any) -> str | None:
        """The file of a variant's own weights, if it has one."""
        return self._weights(wildcards.variant)

    def variant_architecture(self, wildcards: Any) -> dict[str, Any]:
        """The sizes of a variant."""
        return architecture(self.variants, self.architecture, wildcards.variant)

    def variant_tuning(self, wildcards: Any) -> dict[str, Any]:
        """How a variant is tuned."""
        return self._tuning(wildcards.variant)

    def files_of_cnn(self, wildcards: Any) -> list[str]:
        """The files that the CNN in a folder is read from."""
        return self.files(variant_in(wildcards.cnn))

    def content_of_cnn(self, wildcards: Any) -> list[str]:
        """The content of `files_of_cnn`."""
        return self.contents[variant_in(wildcards.cnn)]

    def weights_of_cnn(self, wildcards: Any) -> str | None:
        """The file of the weights of the CNN in a folder, if it has its own."""
        return self._weights(variant_in(wildcards.cnn))

    def settings_of_cnn(self, wildcards: Any) -> dict[str, Any]:
        """What the CNN in a folder was made with."""
        return self.cnn_settings(variant_in(wildcards.cnn))

    def rate_curve_of_cnn(self, wildcards: Any) -> dict[str, Any] | None:
        """The rate curve that the CNN in a folder was tuned to, or None."""
        return self._rate_curve(activation(self.variants, variant_in(wildcards.cnn)))

    def architecture_of_cnn(self, wildcards: Any) -> dict[str, Any]:
        """The sizes of the CNN in a folder, or its builder."""
        return architecture(self.variants, self.architecture, variant_in(wildcards.cnn))

    def networks_of_cnn(self, wildcards: Any, threads: int) -> list[dict[str, Any]]:
        """How each network of the CNN in a folder is converted and simulated, to be checked before training.

        Snakemake does not compare parameters from a function that takes ``threads``: a further network is no reason to
        train anew.
        """
        settings = ("neuron", "neuron_parameters", "initial_voltage", "max_rate_hz", "synapse", "tau_syn_s")
        variant = variant_in(wildcards.cnn)
        return [
            {key: network[key] for key in settings}
            for network in self.networks.values()
            if network["variant"] == variant
        ]

    def duration(self, wildcards: Any, threads: int) -> tuple[int, float]:
        """For how many steps an image is shown, and their length in seconds; not compared, as in `networks_of_cnn`."""
        return self.config["snn"]["steps"], self.config["snn"]["dt_s"]

    def max_rate_hz(self, wildcards: Any) -> Any:
        """The setting of the maximal rates that a path spells."""
        settings = (network["max_rate_hz"] for network in self.networks.values())
        return next(setting for setting in settings if rates_text(setting) == wildcards.rates)

    def cnn_certificate(self, wildcards: Any) -> str:
        """The certificate of a network's CNN at its maximal rates."""
        network = self.networks[wildcards.network]
        folder = cnn_folder(network["variant"])
        return f"<results>/verification/{folder}-rate-{rates_text(network['max_rate_hz'])}.json"

    @property
    def cnn_certificates(self) -> list[str]:
        """The certificates of all CNNs that a network is converted from."""
        return list(dict.fromkeys(self.cnn_certificate(SimpleNamespace(network=name)) for name in self.networks))

    @property
    def cnns(self) -> list[str]:
        """Every CNN that a network is converted from."""
        return list(dict.fromkeys(network["variant"] for network in self.networks.values()))

    @property
    def quantised_cnns(self) -> list[str]:
        """Those of them that have ReLUs: one that is adapted to other neurons is no CNN to be run as it is."""
        return [cnn for cnn in self.cnns if self._rate_curve(activation(self.variants, cnn)) is None]

    @property
    def making(self) -> dict[str, dict[str, Any]]:
        """How each CNN is made that a network is converted from, and each that such a CNN is made from: see `making`.

        With the number of images in place of None, and ``benchmark``: what measured the job, below the benchmarks.
        """
        everything = overview(self.config["data"]["source"]).train - self.number_of_images["validation"]
        names = dict.fromkeys(name for cnn in self.cnns for name in reversed([*lineage(self.variants, cnn), BASE]))
        base = {"from": None, "made_by": "training", "labelled_images": None, "unlabelled_images": 0}
        if not self.trains:
            base |= {"made_by": GIVEN_WEIGHTS, "labelled_images": 0}
        job = "train_cnn" if self.trains else "load_cnn"
        made = {
            name: (making(self.variants[name]) if name != BASE else base)
            | {"benchmark": f"variant/{name}.tsv" if name != BASE else f"{job}.tsv"}
            for name in names
        }
        return {
            name: {key: everything if value is None and key.endswith("images") else value for key, value in how.items()}
            for name, how in made.items()
        }

    @property
    def models(self) -> list[str]:
        """The files of these CNNs."""
        return list(map(model_file, self.cnns))

    # ---- a network ---------------------------------------------------------------------------------------------------

    def conversion(self, wildcards: Any) -> dict[str, Any]:
        """How a network is converted, and from which CNN; its time constants and seeds have jobs of their own."""
        network = self.networks[wildcards.network]
        settings = ["neuron", "neuron_parameters", "max_rate_hz", "initial_voltage"]
        settings += ["synapse"] if network["synapse"] != LOWPASS else []
        return {"cnn": self.cnn_settings(network["variant"]), **{key: network[key] for key in settings}}

    def model_of_network(self, wildcards: Any) -> str:
        """The CNN that a network is converted from."""
        return model_file(self.networks[wildcards.network]["variant"])

    def cnn_outputs(self, name: str):
        """A function of the wildcards that names outputs of a network's own CNN for the same images."""

        def path(wildcards: Any) -> str:
            folder = cnn_folder(self.networks[wildcards.network]["variant"])
            return f"<results>/{folder}/{wildcards.get('images', 'test')}-{name}.npz"

        return path

    def described(self, wildcards: Any) -> dict[str, Any]:
        """How tables describe a network, beside its name and time constant."""
        network = self.networks[wildcards.network]
        return {
            "cnn": network["variant"],
            **{key: network[key] for key in ("neuron", "max_rate_hz", "initial_voltage")},
            **({"synapse": synapses.text(network["synapse"])} if network["synapse"] != LOWPASS else {}),
            "spiking": neurons.spikes(network["neuron"], network["neuron_parameters"]),
        }

    def seed_matters(self, wildcards: Any) -> bool:
        """Whether anything of a network is drawn at random."""
        network = self.networks[wildcards.network]
        return neurons.seed_matters(network["neuron"], network["neuron_parameters"], network["initial_voltage"])

    @property
    def simulated_from(self) -> str | Callable[[Any], str]:
        """The file that a configuration is simulated from: the compiled network, or the CNN."""
        return "<results>/{network}/networks/seed-{seed}.npz" if self.engine == "event" else self.model_of_network

    def tau_syn_s(self, wildcards: Any) -> float | None:
        """Synaptic time constant in seconds; None for no filter."""
        return parse_tau(wildcards.tau)

    def taus_syn_s(self, wildcards: Any) -> list[float | None]:
        """Synaptic time constants in seconds that a job is about together."""
        return [parse_tau(tau) for tau in wildcards.taus.split("+")]

    def simulation_settings(self, wildcards: Any) -> dict[str, Any]:
        """What the responses of a configuration are made with: it stands in their file, and readers compare."""
        return self._simulation(wildcards) | {"tau_syn_s": self.tau_syn_s(wildcards)}

    def shard_settings(self, wildcards: Any) -> dict[str, Any]:
        """What a shard is made with: the same, with all its time constants."""
        return self._simulation(wildcards) | {"tau_syn_s": self.taus_syn_s(wildcards)}

    def _simulation(self, wildcards: Any) -> dict[str, Any]:
        """What the responses of a network are made with, whatever the time constant."""
        simulation, snn = self.config["simulation"], self.config["snn"]
        return {
            "engine": self.engine,
            "code": self.code,
            "network": wildcards.network,
            "seed": int(wildcards.seed),
            **self.conversion(wildcards),
            "dt_s": snn["dt_s"],
            "steps": snn["steps"],
            "precision": simulation["precision"],
            **({"minibatch": simulation["minibatch"]} if self.engine == "nengo-dl" else {}),
        }

    # ---- files of all of them ----------------------------------------------------------------------------------------

    def each_configuration(self, pattern: str, seeds: int | None = None) -> list[str]:
        """A file of every configuration; with `seeds`, of no more seeds than that for each network."""
        return [
            pattern.format(network=network, tau=tau, seed=seed)
            for network, tau, seed in configurations(self.networks, seeds)
        ]

    def first_configurations(self, pattern: str) -> list[str]:
        """A file of every network: of its first time constant and seed."""
        return [
            pattern.format(network=name, tau=tau_text(network["tau_syn_s"][0]), seed=network["seeds"][0])
            for name, network in self.networks.items()
        ]

    def each_network(self, pattern: str, seeds: int | None = None) -> list[str]:
        """A file of every network and seed; with `seeds`, of no more seeds than that."""
        return [
            pattern.format(network=name, seed=seed)
            for name, network in self.networks.items()
            for seed in network["seeds"][:seeds]
        ]

    def of_event_engine(self, pattern: str, seeds: int | None = None) -> list[str]:
        """A file of every network and seed where the event-driven engine simulates; else none."""
        return self.each_network(pattern, seeds) if self.engine == "event" else []

    def certificates(self, results: str | os.PathLike, seeds: int | None = None) -> list[str]:
        """Certificates of every configuration, where the event-driven engine simulates.

        One certificate is about several time constants of a network and seed, which its name lists, because starting
        TensorFlow takes longer than their simulation; see `together`.

        Parameters
        ----------
        results
            Where the experiment's results lie.
        seeds
            Of how many seeds of each network at most; None for all.
        """
        if self.engine != "event":
            return []
        paths = []
        for name, network in self.networks.items():
            for seed in network["seeds"][:seeds]:
                folder = f"verification/{name}/seed-{seed}"
                there = [path.stem.removeprefix("tau-") for path in Path(results, folder).glob("tau-*.json")]
                taus = together(map(tau_text, network["tau_syn_s"]), there)
                paths += [f"<results>/{folder}/tau-{joined}.json" for joined in taus]
        return paths

    def shown_responses(self, names: Iterable[str]) -> list[str]:
        """Responses of networks, at each of their time constants, to the image that is shown: first seed."""
        pattern = f"{CONFIGURATION}/logit_image-1-of-1.npz"
        return [
            pattern.format(network=name, tau=taus, seed=seed)
            for name in names
            for seed in self.networks[name]["seeds"][:1]
            for taus in self.simulated_together(name, seed, "logit_image")
        ]

    def reported(
        self, choices: Callable[[], str | os.PathLike], pattern: str, seeds: int | None = None
    ) -> list[str] | Callable[[Any], list[str]]:
        """A file of every configuration that is reported on the test images.

        With the analysis ``gap`` these are the chosen ones, which only a function of the wildcards can tell.

        Parameters
        ----------
        choices
            Returns the table of choices when it is there.
        pattern, seeds
            See `each_configuration`.
        """
        if "gap" not in self.config["analyses"]:
            return self.each_configuration(pattern, seeds)
        return lambda wildcards: [
            pattern.format(network=network, tau=tau, seed=seed) for network, tau, seed in self.chosen(choices(), seeds)
        ]

    def reported_configurations(
        self, choices: Callable[[], str | os.PathLike], seeds: int | None = None
    ) -> list[tuple[str, str, int]]:
        """Network, time constant and seed of each file of `reported`; with ``gap``, when the choices are there."""
        if "gap" not in self.config["analyses"]:
            return list(configurations(self.networks, seeds))
        return self.chosen(choices(), seeds)

    def disturbed_configurations(self, choices: Callable[[], str | os.PathLike]) -> list[tuple[str, str, int]]:
        """Network, time constant and seed of each configuration that is disturbed: of each network its first seed.

        With the analysis ``gap`` those that were chosen; otherwise those at `disturbed_taus`.
        """
        asked = self.config["corruptions"]
        names = self.networks if asked["networks"] is None else asked["networks"]
        if "gap" in self.config["analyses"]:
            return [chosen for chosen in self.chosen(choices(), seeds=1) if chosen[0] in names]
        return [
            (name, tau_text(tau_syn_s), self.networks[name]["seeds"][0])
            for name in names
            for tau_syn_s in self.disturbed_taus(name)
        ]

    def disturbed_taus(self, name: str) -> Sequence[float | None]:
        """Time constants (s) of a network that may be disturbed: with ``gap`` all, else the configured or the first."""
        taus = self.networks[name]["tau_syn_s"]
        return taus if "gap" in self.config["analyses"] else self.config["corruptions"]["tau_syn_s"] or taus[:1]

    def disturbed(self, choices: Callable[[], str | os.PathLike], *patterns: str) -> Callable[[Any], list[str]]:
        """A function of the wildcards that names files of `disturbed_configurations`, of one pattern after another."""
        return lambda wildcards: [
            pattern.format(network=network, tau=tau, seed=seed)
            for pattern in patterns
            for network, tau, seed in self.disturbed_configurations(choices)
        ]

    def hashes_of_settings(self, seeds: int | None = None) -> list[str]:
        """A hash of what each configuration is made with, in the order of `each_configuration`."""
        return list(map(self.hash_of_settings, configurations(self.networks, seeds)))

    def hash_of_settings(self, configuration: tuple[str, str, int]) -> str:
        """A hash of what a configuration (network, time constant as in paths, seed) is made with."""
        network, tau, seed = configuration
        return hash_of_json(self.simulation_settings(SimpleNamespace(network=network, tau=tau, seed=seed)))

    def chosen(self, choices: str | os.PathLike, seeds: int | None = None) -> list[tuple[str, str, int]]:
        """Network, time constant (as in paths) and seed of each configuration that was chosen on validation images.

        Parameters
        ----------
        choices
            The table of choices, with columns ``network`` and ``tau_syn_s``.
        seeds
            Of how many seeds at most; None for all.
        """
        return [
            (network, tau, seed)
            for network, tau in read_choices(choices)
            for seed in self.networks[network]["seeds"][:seeds]
        ]


def model_file(variant: str) -> str:
    """Return the path of a CNN."""
    return f"<results>/{cnn_folder(variant)}/model.h5"


def variant_in(folder: str) -> str:
    """Return the CNN whose folder this is: undo `cnn_folder`."""
    return folder.partition("/")[2] or BASE


def read_choices(path: str | os.PathLike) -> Iterable[tuple[str, str]]:
    """Return network and time constant, as in paths, of each row of a table of choices, each pair once.

    Snakemake asks while it plans: a table that was changed ends it in one sentence.
    """
    with exit_on_input_error():
        text = read_text(path)
    rows = [(row["network"], row["tau_syn_s"]) for row in csv.DictReader(text.splitlines())]
    return dict.fromkeys((network, tau_text(float(tau) if tau else None)) for network, tau in rows)
